/** Means over axes. @module */
import { sizeOf } from "@/lib/compute/tensor/tensor.ts";
import type { Value } from "../value.ts";
import { mul } from "./arithmetic.ts";
import { reduceSum } from "./reduce_sum.ts";

/** The mean over `axes`. */
export function reduceMean(x: Value, axes?: readonly number[], options: { keepDims?: boolean } = {}): Value {
  const sum = reduceSum(x, axes, options);
  return mul(sum, sizeOf(sum.shape) / sizeOf(x.shape));
}
