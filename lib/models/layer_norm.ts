/** Layer normalisation as GPT-2 and GPT-NeoX use it: two parameters under one name. @module */
import { layerNorm, type Value } from "@/lib/autodiff/mod.ts";
import type { PartParameters, PartValues } from "./model.ts";

/** `<local>` and `<local>Bias` [C] for `<module>.weight` and `<module>.bias`. */
export function layerNormParameters(local: string, module: string, width: number): PartParameters {
  return {
    [local]: { name: `${module}.weight`, shape: [width] },
    [`${local}Bias`]: { name: `${module}.bias`, shape: [width] },
  };
}

/** x [N,C] normalised with the parameters of `local`. */
export function applyLayerNorm(p: PartValues, local: string, x: Value, epsilon: number): Value {
  return layerNorm(x, p[local]!, p[`${local}Bias`]!, epsilon);
}
