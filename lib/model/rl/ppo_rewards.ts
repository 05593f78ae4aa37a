/** Rewards per token: the reward of the response, and the KL penalty at every token. @module */
import { checkEqualLengths, type Row } from "./rows.ts";

/** Rewards of truncated responses, as parameters spell them: their score, a penalty, or none as they are not trained on. */
export const MISSING_EOS = ["score", "penalty", "mask"] as const;

/** Values after the last token of a truncated response, as parameters spell them: 0, or the critic's. */
export const TRUNCATED_VALUES = ["zero", "bootstrap"] as const;

/** Where the reward is given, as parameters spell it: at the last token, or at each. */
export const REWARD_PLACEMENTS = ["eos", "dense"] as const;

/**
 * Returns r_t = −β·kl_t + perToken_t, and at the last token, whether that is EOS or not, the remainder `reward` − Σ perToken, [R].
 *
 * Without `perToken` the whole reward is given at the last token. With it, only what centring, clipping or a penalty changed about the sum is
 * given there. The rewards of a response have the same sum either way.
 * Source: Ziegler et al. 2019, eq. 2, with k1 = log π_old − log π_ref per token (Ouyang et al. 2022, eq. 2).
 * β is in the units of `reward`: with a scaled reward, pass β/scale, so that centring and scaling leave the optimum where β nats put it.
 *
 * @param kl per token, nats; k1 for a penalty whose expectation is the KL
 * @param options.beta non-negative
 * @param options.reward of the response; default 0. null: the response was truncated and continues, so only `perToken` is given
 * @param options.perToken [R], in the units of `reward`; default 0
 * @throws {RangeError} if the response has no token
 * @throws {ShapeError} if `perToken` has another length
 * @example Three tokens, with the reward at the end and at each token
 * ```ts
 * import { ppoRewards } from "@/lib/model/rl/ppo_rewards.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...ppoRewards([1, 2, -1], { beta: 0.5, reward: 3 })], [-0.5, -1, 3.5]);
 * assertEquals([...ppoRewards([0, 0, 0], { beta: 0.5, reward: 3, perToken: [1, 4, 2] })], [1, 4, -2]); // remainder −4
 * ```
 */
export function ppoRewards(
  kl: Row,
  options: { readonly beta: number; readonly reward?: number | null; readonly perToken?: Row },
): Float64Array<ArrayBuffer> {
  if (kl.length === 0) throw new RangeError("A response must have at least one token, got none");
  const { beta, reward = 0, perToken } = options;
  if (perToken) checkEqualLengths({ kl, perToken });
  const rewards = Float64Array.from(kl, (x) => -beta * x);
  let remainder = reward ?? 0;
  if (perToken) {
    for (let t = 0; t < rewards.length; t++) {
      rewards[t]! += perToken[t]!;
      remainder -= perToken[t]!;
    }
  }
  if (reward !== null) rewards[rewards.length - 1]! += remainder;
  return rewards;
}
