/**
 * Uniform random numbers by key and counter: a rollout's number for a token is
 * `uniform(makeKey(seed, "rollout", iteration, id), position)`, whatever is sampled beside it.
 * @module
 */
import { philox4x32 } from "./philox.ts";
import { type Label, labelDigest } from "./seed.ts";

/** The key of one stream: two words of 32 bits. */
export interface Key {
  /** least significant word */
  readonly k0: number;
  /** most significant word */
  readonly k1: number;
}

/**
 * The key of a stream: the bits 48 to 111 of SHA-256 over the seed and labels, so that it shares none with
 * `deriveSeed` of the same arguments.
 * @throws {RangeError} if the seed or a label is not what `deriveSeed` takes
 */
export function makeKey(seed: number, ...labels: readonly Label[]): Key {
  const digest = labelDigest(seed, labels);
  return { k0: digest.getUint32(6), k1: digest.getUint32(10) };
}

const block = new Uint32Array(4);

/**
 * Uniform number in [0, 1) on the grid of 2⁻⁵³, from the upper 27 and 26 bits of two words.
 *
 * @param counter non-negative safe integer; not checked, this is the inner loop of the sampler
 * @example The same key and counter give the same number
 * ```ts
 * import { makeKey, uniform } from "@/lib/random/uniform.ts";
 * import { assertEquals } from "@std/assert";
 * const key = makeKey(7, "rollout", "p3/0");
 * assertEquals(uniform(key, 5), uniform(key, 5));
 * ```
 */
export function uniform(key: Key, counter: number): number {
  philox4x32(block, counter, counter / 0x100000000, 0, 0, key.k0, key.k1);
  return toUnit(block[0]!, block[1]!);
}

/** Two words of 32 random bits as a number in [0, 1) on the grid of 2⁻⁵³. */
export function toUnit(a: number, b: number): number {
  return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 0x20000000000000;
}
