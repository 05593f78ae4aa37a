/** Scored rows with given numbers, and the pure part of an iteration of `ppo-update` on them. @module */
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import type { RewardScale } from "@/lib/model/rl/reward_scale.ts";
import { withAdvantages } from "@/stages/ppo-update/advantages.ts";
import { type Params, params as schema } from "@/stages/ppo-update/params.ts";
import { resolvedParams } from "@/stages/ppo-update/presets.ts";
import { withRewards } from "@/stages/ppo-update/rewards.ts";
import { rolloutOf, type Trajectory } from "@/stages/ppo-update/trajectory.ts";

/** Returns parameters in which nothing is added to the reward: no penalty, no whitening, a plain critic. */
export function withDefaults(
  given: Partial<Omit<Params, "beta">> & { readonly beta?: number | null },
): Params {
  return resolvedParams(
    schema.parse({ beta: 0, whiten_advantages: false, residual_critic: false, ...given }),
  );
}

/** Returns a scored row with these fields, truncated unless they say otherwise. The pure functions do not read the others. */
export function scoredRow(given: Partial<ScoredRow> & { tokenRewards: Float32Array }): ScoredRow {
  const length = given.tokenRewards.length, zeros = new Float32Array(length);
  const rawReward = given.tokenRewards.reduce((a, b) => a + b, 0);
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
    ...given,
  };
}

/**
 * Returns the trajectories of scored rows under a given scale of the reward.
 * @param outputs the critic's per token, [R] each
 * @param afterLast the critic's outputs after the last tokens, where responses continue
 */
export function trajectoriesOf(
  rows: readonly ScoredRow[],
  outputs: readonly ArrayLike<number>[],
  scale: RewardScale,
  params: Params,
  afterLast: readonly (number | undefined)[] = [],
): { readonly trajectories: readonly Trajectory[]; readonly advantageStd: number } {
  const rewarded = withRewards(rows.map(rolloutOf), { scale, beta: params.beta }, params);
  const evaluated = rewarded.map((rollout, i) =>
    i < outputs.length
      ? { ...rollout, criticOutput: { perToken: outputs[i]!, afterLast: afterLast[i] } }
      : rollout
  );
  return withAdvantages(evaluated, scale.scale, params);
}
