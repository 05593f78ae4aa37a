/**
 * The reward of Self-Rewarding PPO: how much likelier the SFT model finds a response than the base does. Both models are
 * frozen; the sum runs over response tokens, EOS included once if it was emitted.
 * @module
 */
import { type LengthNorm, lengthNormalised } from "./length_norm.ts";
import { checkEqualLengths, type Row } from "./rows.ts";

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
 * The reward of a response: Σ_t r_t, the paper's, or that after length normalisation ({@linkcode lengthNormalised}). A response without tokens has
 * reward 0.
 *
 * @param tokenRewards [R], nats
 * @param target tokens; of the norm `target`
 */
export function responseReward(tokenRewards: Row, norm: LengthNorm = "none", target?: number): number {
  let sum = 0;
  for (let t = 0; t < tokenRewards.length; t++) sum += tokenRewards[t]!;
  return lengthNormalised(sum, tokenRewards.length, norm, target);
}
