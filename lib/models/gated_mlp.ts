/** The gated feed-forward layer (Shazeer 2020, arXiv:2002.05202, eq. 6): down(act(gate x) ∘ up x). @module */
import { mul, type Value } from "@/lib/autodiff/mod.ts";
import { affine, affineParameters } from "./affine.ts";
import type { PartParameters, PartValues } from "./model.ts";

/** Sizes of the layer. */
export interface GatedMlpSizes {
  readonly hidden_size: number;
  readonly intermediate_size: number;
}

/** `gate`, `up` and `down` under `at`, with biases where asked for. */
export function gatedMlpParameters(
  at: string,
  { hidden_size: inner, intermediate_size: middle }: GatedMlpSizes,
  bias = false,
): PartParameters {
  return {
    ...affineParameters("gate", { module: `${at}gate_proj`, out: middle, inner, bias }),
    ...affineParameters("up", { module: `${at}up_proj`, out: middle, inner, bias }),
    ...affineParameters("down", { module: `${at}down_proj`, out: inner, inner: middle, bias }),
  };
}

/** x [N,C] → [N,C] */
export function gatedMlp(p: PartValues, act: (x: Value) => Value, x: Value): Value {
  return affine(p, "down", mul(act(affine(p, "gate", x)), affine(p, "up", x)));
}
