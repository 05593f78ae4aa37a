/**
 * Uniform random numbers by key and counter: a rollout's number for a token is
 * `uniform(makeKey(seed, "rollout", iteration, id), position)`. It does not depend on the rest of the batch.
 * @module
 */
import { createHash } from "node:crypto";
import { philox4x32 } from "./philox.ts";

/** Key of one stream: two words of 32 bits. */
export interface Key {
  /** least significant word */
  readonly k0: number;
  /** most significant word */
  readonly k1: number;
}

/**
 * Returns the key of a stream: bytes 6 to 13 of SHA-256 over the JSON text of `[seed, ...labels]`.
 *
 * JSON keeps the borders between labels and the difference between `1` and `"1"`: different lists have different texts.
 *
 * @param seed non-negative safe integer
 * @param labels strings, or safe integers
 * @throws {RangeError} if the seed or a label is another number
 * @example Each label has its own stream
 * ```ts
 * import { makeKey } from "@/lib/compute/random/uniform.ts";
 * import { assertNotEquals } from "@std/assert";
 * assertNotEquals(makeKey(7, "rollout"), makeKey(7, "sft"));
 * ```
 */
export function makeKey(seed: number, ...labels: readonly (string | number)[]): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`The seed must be a non-negative safe integer, got ${seed}`);
  }
  const bad = labels.filter((label) => typeof label === "number" && !Number.isSafeInteger(label));
  if (bad.length > 0) {
    throw new RangeError(`Numeric labels of a random stream must be safe integers, got ${bad.join(", ")}`);
  }
  const digest = createHash("sha256").update(JSON.stringify([seed, ...labels])).digest();
  return { k0: digest.readUint32BE(6), k1: digest.readUint32BE(10) };
}

const block = new Uint32Array(4);

/**
 * Returns a uniform number in [0, 1) on the grid of 2⁻⁵³, from the upper 27 and 26 bits of two words.
 *
 * @param counter non-negative safe integer; not checked, this is the inner loop of the sampler
 * @example The same key and counter give the same number
 * ```ts
 * import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
 * import { assertEquals } from "@std/assert";
 * const key = makeKey(7, "rollout", "p3/0");
 * assertEquals(uniform(key, 5), uniform(key, 5));
 * ```
 */
export function uniform(key: Key, counter: number): number {
  philox4x32(block, counter, counter / 0x100000000, 0, 0, key.k0, key.k1);
  return toUnit(block[0]!, block[1]!);
}

/** Returns two words of 32 random bits as a number in [0, 1) on the grid of 2⁻⁵³. */
export function toUnit(a: number, b: number): number {
  return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 0x20000000000000;
}
