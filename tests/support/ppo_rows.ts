/** Scored rows of given figures, and the pure part of a round of `ppo-update` on them. @module */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import type { RewardScale } from "@/lib/rl/ppo_rewards.ts";
import { type Advantages, advantagesOf } from "@/stages/ppo-update/advantages.ts";
import { type Params, params as schema } from "@/stages/ppo-update/params.ts";
import { earnedBy, payOf } from "@/stages/ppo-update/pay.ts";

/** Parameters in which nothing is added to the reward: no penalty, no whitening, a plain critic. */
export function withDefaults(given: Partial<Params>): Params {
  return schema.parse({ beta: 0, whiten_advantages: false, residual_critic: false, ...given });
}

/** A scored row of these figures; all else is what the pure functions do not read. It was cut, unless the figures say otherwise. */
export function scoredRow(figures: Partial<ScoredRow> & { tokenRewards: Float32Array }): ScoredRow {
  const length = figures.tokenRewards.length, zeros = new Float32Array(length);
  const rawReward = figures.tokenRewards.reduce((a, b) => a + b, 0);
  return {
    id: "r",
    promptId: "p",
    sample: 0,
    promptIds: Int32Array.of(1),
    responseIds: new Int32Array(length),
    logprobs: zeros,
    logprobsT1: null,
    finishReason: "length",
    meta: "{}",
    sftLogprobs: zeros,
    targetLogprobs: zeros,
    baseLogprobs: zeros,
    rawReward,
    reward: rawReward,
    baseNll: 1,
    ...figures,
  };
}

/**
 * Advantages of a round under a given scale of the reward.
 * @param behind the critic's outputs behind the last tokens, where responses go on there
 */
export function advantagesFor(
  rows: readonly ScoredRow[],
  heads: readonly ArrayLike<number>[],
  scale: RewardScale,
  params: Params,
  behind: readonly number[] = [],
): Advantages {
  const earned = earnedBy(rows), pay = payOf(rows, earned, { scale, beta: params.beta }, params);
  return advantagesOf(rows, { earned, pay, scale }, { tokens: heads, behind }, params);
}
