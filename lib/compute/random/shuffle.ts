/** Random orders of rows by key. @module */
import { type Key, uniform } from "./uniform.ts";

/**
 * Returns a uniformly drawn order of 0 … n−1 (Fisher–Yates, from the end).
 *
 * The draw at place i is ⌊u·(i+1)⌋ with u on a grid of 2⁻⁵³: orders differ in probability by less than n·2⁻⁵².
 *
 * @param n number of elements, a non-negative integer
 * @param options.counter counter of the first random number, default 0; n − 1 numbers are used
 * @throws {RangeError} if n is not a non-negative integer below 2³¹
 * @example Every index appears once
 * ```ts
 * import { permutation } from "@/lib/compute/random/shuffle.ts";
 * import { makeKey } from "@/lib/compute/random/uniform.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...permutation(4, makeKey(7, "epoch", 0))].sort(), [0, 1, 2, 3]);
 * ```
 */
export function permutation(
  n: number,
  key: Key,
  options: { readonly counter?: number } = {},
): Int32Array<ArrayBuffer> {
  if (!Number.isInteger(n) || n < 0 || n >= 2 ** 31) {
    throw new RangeError(`The length of an order must be an integer from 0 to 2^31 - 1, got ${n}`);
  }
  const order = Int32Array.from({ length: n }, (_, i) => i);
  let counter = options.counter ?? 0;
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(uniform(key, counter++) * (i + 1));
    const moved = order[i]!;
    order[i] = order[j]!;
    order[j] = moved;
  }
  return order;
}
