/**
 * Computes rewards from log-probabilities. In: rows of rollouts, their log-probabilities under the models of a reward, and the
 * rule that makes a reward of these. Out: `scored@1` rows, or the reward of each member alone. Pure.
 * @module
 */
import type { RewardManifest } from "@/lib/data/contracts/reward_directory.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { combineMembers } from "@/lib/model/rl/bagged_reward.ts";
import type { Row } from "@/lib/model/rl/rows.ts";
import { responseReward } from "@/lib/model/rl/srppo_reward.ts";
import { tokenRewards } from "@/lib/model/rl/token_rewards.ts";

/** Log-probabilities of rows under the models of a reward: nats per response token, [rows][R]. */
export interface RewardLogprobs {
  readonly sft: readonly Float32Array[];
  /** [K][rows][R] */
  readonly members: readonly (readonly Float32Array[])[];
  readonly base: readonly Float32Array[];
  /** of the model that is subtracted from the members; often the base */
  readonly baseline: readonly Float32Array[];
  /** nats per token of each response by the base, alone; see `baseNll()` */
  readonly baseNll: readonly (number | null)[];
}

/** The part of a reward manifest that defines how log-probabilities become a reward. */
export type RewardRule = Pick<
  RewardManifest,
  | "combine"
  | "floor"
  | "floorPenalties"
  | "floorBoth"
  | "tokenCap"
  | "eosBound"
  | "baseWeight"
  | "lengthNorm"
  | "lengthTarget"
  | "eosIds"
>;

/** Returns rows with all columns that `scored@1` adds. */
export function scoredRows(
  rows: readonly RolloutRow[],
  logprobs: RewardLogprobs,
  rule: RewardRule,
): ScoredRow[] {
  const rewardsOf = rewardsBy(rows, logprobs, rule),
    combine = rule.combine === "soup" ? "mean" : rule.combine;
  return rows.map((row, i) => {
    const target = combineMembers(logprobs.members.map((member) => member[i]!), combine);
    const rewards = rewardsOf(target, i), rawReward = rewards.reduce((a, b) => a + b, 0);
    return {
      ...row,
      sftLogprobs: logprobs.sft[i]!,
      targetLogprobs: Float32Array.from(target),
      baseLogprobs: logprobs.base[i]!,
      tokenRewards: Float32Array.from(rewards),
      rawReward,
      reward: responseReward(rewards, rule.lengthNorm, rule.lengthTarget),
      baseNll: logprobs.baseNll[i]!,
    };
  });
}

/** Returns the reward of each row with each member as the only one, [K][rows], after length normalisation. */
export function memberRewards(
  rows: readonly RolloutRow[],
  logprobs: RewardLogprobs,
  rule: RewardRule,
): number[][] {
  const rewardsOf = rewardsBy(rows, logprobs, rule);
  return logprobs.members.map((member) =>
    rows.map((_, i) => responseReward(rewardsOf(member[i]!, i), rule.lengthNorm, rule.lengthTarget))
  );
}

/** Returns a function from row i and its `target` log-probabilities to the rewards of its tokens. */
function rewardsBy(
  rows: readonly RolloutRow[],
  { base, baseline }: RewardLogprobs,
  { floor, floorPenalties, floorBoth, tokenCap, eosBound, baseWeight = 1, eosIds }: RewardRule,
): (target: Row, i: number) => Float64Array<ArrayBuffer> {
  const ends = new Set(eosIds);
  const guards = {
    floor,
    floorPenalties,
    floorBoth: floorBoth ?? null,
    tokenCap: tokenCap ?? null,
    eosBound,
    baseWeight,
  };
  return (target, i) => {
    const isEos = Array.from(rows[i]!.responseIds, (id) => ends.has(id) ? 1 : 0);
    return tokenRewards({ target, base: base[i]!, baseline: baseline[i]!, isEos }, guards);
  };
}
