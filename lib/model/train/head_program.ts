/**
 * Head programs: the function from the head's output at some positions to a loss and to values per token. SFT, the
 * policy loss, the value loss and scoring are head programs.
 * @module
 */
import type { Value } from "@/lib/compute/autodiff/mod.ts";
import type { DType } from "@/lib/compute/tensor/dtype.ts";

/** Arguments of a program's trace function. */
export interface HeadInputs {
  /** [n,V] logits of a language model, or [n,1] values of a critic or of a value head */
  readonly projected: Value;
  /** [n,1] values of the value head beside the logits; only with output `both` */
  readonly values?: Value;
  /** per-token inputs [n] by name */
  readonly tokens: Readonly<Record<string, Value>>;
  /** scalars [] by name */
  readonly scalars: Readonly<Record<string, Value>>;
}

/** Results of a program. */
export interface HeadOutputs {
  /** a sum over tokens, so that chunks and micro-batches add up; a mean needs a per-token weight */
  readonly loss?: Value;
  /** per-token values by name: [n], or [n,K] for K values per token */
  readonly tokens: Readonly<Record<string, Value>>;
}

/** A head program. Programs with equal keys must be the same function. */
export interface HeadProgram {
  readonly key: string;
  /** per-token inputs; they are 0 for padding, so the loss of a token with weight 0 must be 0 */
  readonly tokens: Readonly<Record<string, Extract<DType, "f32" | "i64">>>;
  readonly scalars: readonly string[];
  /** what `projected` is: the model's output (default), or that of its value head; `both`: the output, with the head's as `values` */
  readonly output?: "value_head" | "both";
  trace(inputs: HeadInputs): HeadOutputs;
}

/** Returns a program for critics as one that reads the value head of a language model instead. */
export function onValueHead(program: HeadProgram): HeadProgram {
  return { ...program, key: `${program.key}/value_head`, output: "value_head" };
}
