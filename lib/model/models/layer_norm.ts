/** Layer normalisation of GPT-2 and GPT-NeoX: weight and bias under one local name. @module */
import { layerNorm, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { PartParameters, PartValues } from "./model.ts";

/** Returns `<local>` and `<local>Bias` [C] for `<module>.weight` and `<module>.bias`. */
export function layerNormParameters(local: string, module: string, width: number): PartParameters {
  return {
    [local]: { name: `${module}.weight`, shape: [width] },
    [`${local}Bias`]: { name: `${module}.bias`, shape: [width] },
  };
}

/** Returns x [N,C] normalised with the parameters of `local`. */
export function applyLayerNorm(p: PartValues, local: string, x: Value, epsilon: number): Value {
  return layerNorm(x, p[local]!, p[`${local}Bias`]!, epsilon);
}
