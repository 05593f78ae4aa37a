/** Length normalisation of a response's reward. @module */
import type { Row } from "./rows.ts";

/** Names of the norms, as parameters spell them; `none` is the paper's sum. */
export const LENGTH_NORMS = ["none", "mean", "sqrt", "target"] as const;

/** One of {@linkcode LENGTH_NORMS}. */
export type LengthNorm = typeof LENGTH_NORMS[number];

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
  norm: LengthNorm,
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

/**
 * Returns what each token adds to the normalised reward, [R], nats: Δ_t = N(Σ_{k≤t} r_k, t + 1) − N(Σ_{k<t} r_k, t), where N is
 * {@linkcode lengthNormalised} and N of no token is 0.
 *
 * Their sum is the normalised reward of the response, and their sum before t depends on the tokens before t alone. Scaling all tokens by the
 * factor of the finished response (1/R) would not do: R depends on later actions, so a critic's prefix of such rewards would be a biased
 * baseline.
 *
 * @param tokenRewards r, [R], nats
 * @param target as in {@linkcode lengthNormalised}
 * @example The mean after one, two and three tokens is 6, 4 and 3
 * ```ts
 * import { normalisedIncrements } from "@/lib/model/rl/length_norm.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...normalisedIncrements([6, 2, 1], "mean")], [6, -2, -1]);
 * assertEquals([...normalisedIncrements([6, 2, 1], "none")], [6, 2, 1]);
 * ```
 */
export function normalisedIncrements(
  tokenRewards: Row,
  norm: LengthNorm,
  target?: number,
): Float64Array<ArrayBuffer> {
  let sum = 0, before = 0;
  return Float64Array.from(tokenRewards, (r, t) => {
    sum += r;
    const now = lengthNormalised(sum, t + 1, norm, target), added = norm === "none" ? r : now - before;
    before = now;
    return added;
  });
}
