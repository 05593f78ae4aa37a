/**
 * What happens after the last block, at the positions that count: the function from hidden states to a loss and to
 * figures per token. SFT, the policy loss, the value loss and scoring are head programs.
 * @module
 */
import type { Value } from "@/lib/autodiff/mod.ts";
import type { DType } from "@/lib/tensor/dtype.ts";

/** What a program's trace function gets. */
export interface HeadInputs {
  /** [n,V] logits of a language model, or [n,1] values of a critic */
  readonly projected: Value;
  /** per-token inputs [n] by name */
  readonly tokens: Readonly<Record<string, Value>>;
  /** scalars [] by name */
  readonly scalars: Readonly<Record<string, Value>>;
}

/** Results of a program. */
export interface HeadOutputs {
  /** a sum over tokens, so that chunks and micro-batches add up: divide by totals through a per-token weight */
  readonly loss?: Value;
  /** per-token figures by name: [n], or [n,K] where a token has several */
  readonly tokens: Readonly<Record<string, Value>>;
}

/** A head program. Two programs with one key must be the same function. */
export interface HeadProgram {
  readonly key: string;
  /** per-token inputs; padding tokens get 0 in all of them, so a weight of 0 must switch a token off */
  readonly tokens: Readonly<Record<string, Extract<DType, "f32" | "i64">>>;
  readonly scalars: readonly string[];
  trace(inputs: HeadInputs): HeadOutputs;
}
