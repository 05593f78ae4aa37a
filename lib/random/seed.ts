/**
 * Seeds that follow from other seeds: a run's seed and a few labels name every stream of random numbers.
 * @module
 */
import { createHash } from "node:crypto";

/** What tells one derived seed or key from another. */
export type Label = string | number;

/**
 * A seed from a seed and labels: the first 48 bits of SHA-256 over the JSON text of `[seed, ...labels]`.
 *
 * JSON keeps the borders between labels and the difference between `1` and `"1"`, so different lists give different texts.
 *
 * @param seed non-negative safe integer
 * @param labels strings, or safe integers
 * @returns integer in [0, 2⁴⁸)
 * @throws {RangeError} if the seed or a label is another number
 * @example One stage, one label
 * ```ts
 * import { deriveSeed } from "@/lib/random/seed.ts";
 * import { assertNotEquals } from "@std/assert";
 * assertNotEquals(deriveSeed(7, "rollout"), deriveSeed(7, "sft"));
 * ```
 */
export function deriveSeed(seed: number, ...labels: readonly Label[]): number {
  const digest = labelDigest(seed, labels);
  return digest.getUint32(0) * 0x10000 + digest.getUint16(4);
}

/**
 * SHA-256 of the canonical text of a seed and its labels.
 * @throws {RangeError} as {@linkcode deriveSeed}
 */
export function labelDigest(seed: number, labels: readonly Label[]): DataView {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`Cannot derive a seed as the seed must be a non-negative safe integer: ${seed}`);
  }
  const bad = labels.filter((label) => typeof label === "number" && !Number.isSafeInteger(label));
  if (bad.length > 0) {
    throw new RangeError(`Cannot derive a seed as numeric labels must be safe integers: ${bad.join(", ")}`);
  }
  const digest = createHash("sha256").update(JSON.stringify([seed, ...labels])).digest();
  return new DataView(digest.buffer, digest.byteOffset, digest.byteLength);
}
