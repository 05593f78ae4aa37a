/** Normal random numbers by key and index, for initial weights. @module */
import { philox4x32 } from "./philox.ts";
import { type Key, toUnit } from "./uniform.ts";

const block = new Uint32Array(4);

/**
 * Returns standard normal number `index` of a stream (Box–Muller): one block of Philox is u and v, and the pair
 * √(−2 ln(1−u))·cos 2πv and √(−2 ln(1−u))·sin 2πv has an even and the next odd index. 1−u is in (0, 1], so the logarithm is finite.
 *
 * Source: Box and Muller 1958. `uniform` uses the same blocks: use different keys for the two.
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

/** Sets `out[i]` to `std · normal(key, i)`. @throws {RangeError} if `std` is negative or not finite */
export function fillNormal(
  out: Float32Array | Float64Array,
  key: Key,
  { std = 1 }: { readonly std?: number } = {},
): void {
  if (!(std >= 0 && std < Infinity)) {
    throw new RangeError(`The standard deviation must be finite and at least 0, got ${std}`);
  }
  for (let i = 0; i < out.length; i++) out[i] = std * normal(key, i);
}
