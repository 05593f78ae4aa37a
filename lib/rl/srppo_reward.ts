/**
 * The reward of Self-Rewarding PPO: how much likelier the SFT model finds a response than the base does. Both models are
 * frozen; the sum runs over response tokens, EOS included once if it was emitted.
 * @module
 */
import { checkEqualLengths, type Row } from "./rows.ts";

/** How a response's summed reward depends on its length. */
export const LENGTH_NORMS = ["none", "mean", "sqrt"] as const;

/** One of {@linkcode LENGTH_NORMS}; `none` is the paper's sum. */
export type LengthNorm = typeof LENGTH_NORMS[number];

/**
 * log π_target(y_t|x, y_<t) − log π_base(y_t|x, y_<t) per response token, [R], nats.
 *
 * Source: Zhang et al. 2025, Self-Rewarding PPO (arXiv:2510.21090), the coherent reward; after Watson et al. 2023 (arXiv:2305.16498).
 *
 * @param targetLogprobs of the SFT model, or of several members combined
 * @param baseLogprobs of the pretrained base
 * @throws {ShapeError} if the lengths differ
 * @example Exchanging the models changes the sign
 * ```ts
 * import { responseReward, tokenLogRatios } from "@/lib/rl/srppo_reward.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(responseReward(tokenLogRatios([-1, -1], [-2, -3])), 3);
 * assertEquals(responseReward(tokenLogRatios([-2, -3], [-1, -1])), -3);
 * ```
 */
export function tokenLogRatios(targetLogprobs: Row, baseLogprobs: Row): Float64Array<ArrayBuffer> {
  checkEqualLengths({ targetLogprobs, baseLogprobs });
  return Float64Array.from(targetLogprobs, (lp, t) => lp - baseLogprobs[t]!);
}

/**
 * The reward of a response: Σ_t r_t, divided by 1, R or √R.
 *
 * The paper's is the sum (`none`). Per state its expectation under the SFT model is KL(π_sft ‖ π_base) ≥ 0, so it grows with length;
 * `mean` and `sqrt` are offered for that reason and are not in the paper. A response without tokens has reward 0.
 *
 * @param tokenRewards [R], nats
 */
export function responseReward(tokenRewards: Row, norm: LengthNorm = "none"): number {
  let sum = 0;
  for (let t = 0; t < tokenRewards.length; t++) sum += tokenRewards[t]!;
  return lengthNormalised(sum, tokenRewards.length, norm);
}

/** `sum` divided by 1, `length` or √`length`; a length of 0 counts as 1. */
export function lengthNormalised(sum: number, length: number, norm: LengthNorm): number {
  const n = Math.max(length, 1);
  return norm === "none" ? sum : norm === "mean" ? sum / n : sum / Math.sqrt(n);
}
