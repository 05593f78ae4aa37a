/**
 * Linear maps with an optional bias and an optional low-rank addition: their parameters, and applying them. All families
 * use these functions for all maps of their blocks, so adapters work for every family.
 * @module
 */
import { add, linear, matmul, mul, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { ParameterSpec, PartParameters, PartValues } from "./model.ts";

/** Name and size of a linear map. */
export interface AffineSpec {
  /** its name in a checkpoint, without `.weight` */
  readonly module: string;
  readonly out: number;
  readonly inner: number;
  readonly bias: boolean;
}

/** Returns `<local>` [out, in] and, with a bias, `<local>Bias` [out]. */
export function affineParameters(local: string, { module, out, inner, bias }: AffineSpec): PartParameters {
  return {
    [local]: { name: `${module}.weight`, shape: [out, inner] },
    ...(bias ? { [`${local}Bias`]: { name: `${module}.bias`, shape: [out] } } : {}),
  };
}

/** Returns `<local>` stored [in, out], as in transformers' Conv1D, and `<local>Bias` [out]. */
export function conv1dParameters(
  local: string,
  { module, out, inner }: Omit<AffineSpec, "bias">,
): PartParameters {
  return {
    [local]: { name: `${module}.weight`, shape: [inner, out], transposed: true },
    [`${local}Bias`]: { name: `${module}.bias`, shape: [out] },
  };
}

/** Returns x·Wᵀ + b: [N, in] → [N, out]. The bias is optional. */
export function affine(p: PartValues, local: string, x: Value): Value {
  return withAdditions(p, local, x, linear(x, p[local]!));
}

/** Returns x·W + b for W [in, out]: [N, in] → [N, out]. */
export function conv1d(p: PartValues, local: string, x: Value): Value {
  return withAdditions(p, local, x, matmul(x, p[local]!));
}

/** Returns the names of a map's low-rank addition s·(x·Aᵀ)·Bᵀ (Hu et al. 2021, arXiv:2106.09685, §4.1). */
export function lowRankNames(
  local: string,
): { readonly a: string; readonly b: string; readonly scale: string } {
  return { a: `${local}.loraA`, b: `${local}.loraB`, scale: `${local}.loraScale` };
}

/** Returns whether a parameter of a block is the weight of a linear map: blocks have no other matrices. */
export function isMap({ shape }: ParameterSpec): boolean {
  return shape.length === 2;
}

/** Returns the input and output width of a linear map. */
export function mapSizes(
  { shape, transposed }: ParameterSpec,
): { readonly inner: number; readonly out: number } {
  const [first, second] = shape as readonly [number, number];
  return transposed ? { inner: first, out: second } : { inner: second, out: first };
}

function withAdditions(p: PartValues, local: string, x: Value, product: Value): Value {
  const names = lowRankNames(local), a = p[names.a], bias = p[`${local}Bias`];
  // The narrow product [N, r] is scaled: it is the cheapest.
  const adapted = a ? add(product, linear(mul(linear(x, a), p[names.scale]!), p[names.b]!)) : product;
  return bias ? add(adapted, bias) : adapted;
}
