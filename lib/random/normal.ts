/** Normal random numbers by key and index, for initial weights. @module */
import { philox4x32 } from "./philox.ts";
import { type Key, toUnit } from "./uniform.ts";

const block = new Uint32Array(4);

/**
 * Standard normal number `index` of a stream (Box–Muller): one block of Philox gives u and v, and these the pair
 * √(−2 ln(1−u))·cos 2πv and √(−2 ln(1−u))·sin 2πv for an even and the next odd index. 1−u is in (0, 1], so the logarithm is finite.
 *
 * Source: Box and Muller 1958. The values come from the same blocks as `uniform`'s: give the two different keys.
 *
 * @param index non-negative safe integer
 */
export function normal(key: Key, index: number): number {
  const pair = Math.floor(index / 2);
  philox4x32(block, pair, pair / 0x100000000, 0, 0, key.k0, key.k1);
  const radius = Math.sqrt(-2 * Math.log(1 - toUnit(block[0]!, block[1]!)));
  const angle = 2 * Math.PI * toUnit(block[2]!, block[3]!);
  return radius * (index % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
}

/**
 * Overwrites `out[i]` with `mean + std · normal(key, i)`.
 * @throws {RangeError} if `std` is negative or not finite
 */
export function fillNormal(
  out: Float32Array | Float64Array,
  key: Key,
  options: { readonly mean?: number; readonly std?: number } = {},
): void {
  const { mean = 0, std = 1 } = options;
  if (!(std >= 0 && std < Infinity)) {
    throw new RangeError(
      `Cannot draw normal numbers as their deviation must be finite and at least 0: ${std}`,
    );
  }
  for (let i = 0; i < out.length; i++) out[i] = mean + std * normal(key, i);
}
