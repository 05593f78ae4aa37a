/**
 * Linear maps with an optional bias and an optional low-rank addition: their parameters, and applying them. All maps
 * of all blocks go through here, so that an adapter needs no family to know of it.
 * @module
 */
import { add, linear, matmul, mul, type Value } from "@/lib/autodiff/mod.ts";
import type { ParameterSpec, PartParameters, PartValues } from "./model.ts";

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

/** `<local>` stored [in, out], as transformers' Conv1D has it, and `<local>Bias` [out]. */
export function conv1dParameters(
  local: string,
  { module, out, inner }: Omit<AffineSpec, "bias">,
): PartParameters {
  return {
    [local]: { name: `${module}.weight`, shape: [inner, out], transposed: true },
    [`${local}Bias`]: { name: `${module}.bias`, shape: [out] },
  };
}

/** x·Wᵀ + b, where there is a bias: [N, in] → [N, out]. */
export function affine(p: PartValues, local: string, x: Value): Value {
  return withAdditions(p, local, x, linear(x, p[local]!));
}

/** x·W + b for W [in, out]: [N, in] → [N, out]. */
export function conv1d(p: PartValues, local: string, x: Value): Value {
  return withAdditions(p, local, x, matmul(x, p[local]!));
}

/** Names of a map's low-rank addition (Hu et al. 2021, arXiv:2106.09685, §4.1): s·(x·Aᵀ)·Bᵀ. */
export function lowRankNames(
  local: string,
): { readonly a: string; readonly b: string; readonly scale: string } {
  return { a: `${local}.loraA`, b: `${local}.loraB`, scale: `${local}.loraScale` };
}

/** Whether a parameter of a block is the weight of a linear map: all other matrices of a model are embeddings. */
export function isMap({ shape }: ParameterSpec): boolean {
  return shape.length === 2;
}

/** Width in and out of a linear map. */
export function mapSizes(
  { shape, transposed }: ParameterSpec,
): { readonly inner: number; readonly out: number } {
  const [first, second] = shape as readonly [number, number];
  return transposed ? { inner: first, out: second } : { inner: second, out: first };
}

function withAdditions(p: PartValues, local: string, x: Value, product: Value): Value {
  const names = lowRankNames(local), a = p[names.a], bias = p[`${local}Bias`];
  // The scale goes onto the narrow product, [N, r].
  const adapted = a ? add(product, linear(mul(linear(x, a), p[names.scale]!), p[names.b]!)) : product;
  return bias ? add(adapted, bias) : adapted;
}
