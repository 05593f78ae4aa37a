/** Length normalisation of a response's reward. @module */

/** Names of the norms, as parameters spell them; `none` is the paper's sum. */
export const LENGTH_NORMS = ["none", "mean", "sqrt", "target"] as const;

/**
 * Returns a response's summed reward after length normalisation.
 *
 * none Σr · mean Σr/R · sqrt Σr/√R · target Σr · min(1, L/R): the sum up to L tokens, L times the mean beyond.
 * The paper's is the sum. Per state its expectation under the SFT model is KL(π_sft ‖ π_base) ≥ 0, so it grows with length; the
 * other norms are not in the paper. With `target` the reward grows with the length up to L tokens, and beyond them only with the mean.
 *
 * @param sum Σr, nats
 * @param length R; 0 counts as 1
 * @param target L, tokens, above 0; used by `target` alone
 * @throws {RangeError} if the norm is `target` and the target not positive
 * @example Eight tokens with a reward of 16 nats
 * ```ts
 * import { LENGTH_NORMS, lengthNormalised } from "@/lib/model/rl/length_norm.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(LENGTH_NORMS.map((norm) => lengthNormalised(16, 8, norm, 4)), [16, 2, 16 / Math.sqrt(8), 8]);
 * ```
 */
export function lengthNormalised(
  sum: number,
  length: number,
  norm: typeof LENGTH_NORMS[number],
  target?: number,
): number {
  const n = Math.max(length, 1);
  switch (norm) {
    case "none":
      return sum;
    case "mean":
      return sum / n;
    case "sqrt":
      return sum / Math.sqrt(n);
    case "target":
      if (!(target !== undefined && target > 0)) {
        throw new RangeError(
          `The target length must be positive, got ${target}`,
        );
      }
      return sum * Math.min(1, target / n);
  }
}
