/** Units of β and of a KL that do not depend on the scale of the reward, the length of responses, or the vocabulary. @module */
import { fitRewardScale } from "./reward_scale.ts";
import type { Row } from "./rows.ts";

/**
 * Returns the unit of a relative β, σ/√H: β = relative β · σ/√H nats of reward per nat of KL.
 *
 * The policy that maximises E[r] − β·KL(π‖π_ref) is π* ∝ π_ref·exp(r/β). Where r is normal under π_ref with deviation σ, KL(π*‖π_ref) = σ²/(2β²), so
 * at the relative β b the optimum is KL(π*‖π_ref) = H/(2b²): a share of the entropy H of the reference's responses that depends on b alone.
 *
 * - reward scale: r → c·r has β → c·β, and the same optimum;
 * - length: for responses of n times as many like tokens, σ² and H grow n times: β, and so the KL per token, stays as it is;
 * - vocabulary: σ, H and KL are those of distributions over responses, however their text is split into tokens.
 *
 * Source: ours; the optimum is that of Ziegler et al. 2019 (arXiv:1909.08593) and Rafailov et al. 2023 (arXiv:2305.18290), eq. 4.
 *
 * @param rewards one per response, sampled from the reference; σ is their sample deviation, 1 where that is 0 or undefined
 * @param entropy H, nats per response: −mean Σ_t log π(y_t)
 * @throws {RangeError} if there is no reward, one is not finite, or H is not positive and finite
 * @example Rewards with deviation 4, responses of 16 nats
 * ```ts
 * import { betaUnit } from "@/lib/model/rl/relative_kl.ts";
 * import { assertAlmostEquals } from "@std/assert";
 * assertAlmostEquals(betaUnit([-4, 0, 4], 16), 1);
 * ```
 */
export function betaUnit(rewards: Row, entropy: number): number {
  if (!(entropy > 0 && entropy < Infinity)) {
    throw new RangeError(`The entropy of responses must be positive and finite, got ${entropy}`);
  }
  return fitRewardScale(rewards).scale / Math.sqrt(entropy);
}
