/**
 * The reward of a response from those of its tokens ({@linkcode tokenRewards}). Both models of the reward are frozen; the sum runs over response
 * tokens, EOS included once if it was emitted.
 * @module
 */
import { type LengthNorm, lengthNormalised } from "./length_norm.ts";
import type { Row } from "./rows.ts";

/**
 * Returns the reward of a response: Σ_t r_t, the paper's, or that after length normalisation ({@linkcode lengthNormalised}); 0 without tokens.
 *
 * @param tokenRewards [R], nats
 * @param target tokens; of the norm `target`
 */
export function responseReward(
  tokenRewards: Row,
  norm: LengthNorm = "none",
  target?: number,
): number {
  let sum = 0;
  for (let t = 0; t < tokenRewards.length; t++) sum += tokenRewards[t]!;
  return lengthNormalised(sum, tokenRewards.length, norm, target);
}
