/** Linear maps with an optional bias: their parameters, and applying them. @module */
import { add, linear, type Value } from "@/lib/autodiff/mod.ts";
import type { PartParameters, PartValues } from "./model.ts";

/** What a linear map is called and how large it is. */
export interface AffineSpec {
  /** its name in a checkpoint, without `.weight` */
  readonly module: string;
  readonly out: number;
  readonly inner: number;
  readonly bias: boolean;
}

/** `<local>` [out, in] and, with a bias, `<local>Bias` [out]. */
export function affineParameters(local: string, { module, out, inner, bias }: AffineSpec): PartParameters {
  return {
    [local]: { name: `${module}.weight`, shape: [out, inner] },
    ...(bias ? { [`${local}Bias`]: { name: `${module}.bias`, shape: [out] } } : {}),
  };
}

/** x·Wᵀ + b, where there is a bias: [N, in] → [N, out]. */
export function affine(p: PartValues, local: string, x: Value): Value {
  const product = linear(x, p[local]!), bias = p[`${local}Bias`];
  return bias ? add(product, bias) : product;
}
