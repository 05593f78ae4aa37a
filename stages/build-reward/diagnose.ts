/**
 * Statistics of a reward that need no checker: whether its members agree, and whether it depends mostly on a few tokens, on EOS, or
 * on length. In: scored responses of the SFT model. Out: statistics. Pure.
 * @module
 */
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { memberRewards, type RewardRule, scoredRows } from "@/lib/model/reward/scored_rows.ts";
import {
  agreementWithin,
  correlationWithin,
  deviationWithin,
  reliabilityOfMean,
  shareOfSpread,
} from "@/lib/model/rl/within_groups.ts";
import type { Measured } from "./measure.ts";

/** Statistics of several responses to each prompt; null where undefined. */
export interface Diagnosis {
  /** number of responses */
  readonly responses: number;
  readonly prompts: number;
  /** standard deviation of the rewards of responses to one prompt, n − 1 in the denominator; null without two to one prompt */
  readonly reward_spread: number | null;
  /** mean, over pairs of members, of the correlation of their rewards within prompts; null for one member */
  readonly member_agreement: number | null;
  /** share of the combined reward's variance within prompts that members share (Spearman-Brown); null for one member */
  readonly reliability: number | null;
  /** share of the top 1 % of tokens by |reward| in the sum of all |rewards|, without EOS; null if that sum is 0 */
  readonly top_token_share: number | null;
  /** share of EOS in the reward's variance within prompts */
  readonly eos_spread_share: number | null;
  /** correlation of reward and length within prompts */
  readonly length_correlation: number | null;
}

/** The share of tokens that `top_token_share` counts. */
const TOP = 0.01;

/** Returns the statistics of a reward from log-probabilities of responses. */
export function diagnose({ rows, logprobs, perModel }: Measured, rule: RewardRule): Diagnosis {
  const scored = scoredRows(rows, logprobs, rule);
  return diagnosis(scored, memberRewards(rows, { ...logprobs, members: perModel }, rule), rule.eosIds);
}

/**
 * Returns the statistics of scored responses.
 * @param perMember the reward of each member alone, [K][rows]
 */
export function diagnosis(
  rows: readonly ScoredRow[],
  perMember: readonly (readonly number[])[],
  eosIds: readonly number[],
): Diagnosis {
  const numbers = new Map<string, number>();
  const prompts = rows.map(({ promptId }) => {
    const number = numbers.get(promptId) ?? numbers.size;
    numbers.set(promptId, number);
    return number;
  });
  const ends = new Set(eosIds), rewards = rows.map(({ reward }) => reward);
  const agreement = agreementWithin(perMember, prompts);
  return {
    responses: rows.length,
    prompts: numbers.size,
    reward_spread: deviationWithin(rewards, prompts),
    member_agreement: agreement,
    reliability: agreement === null ? null : reliabilityOfMean(agreement, perMember.length),
    top_token_share: topShare(rows, ends),
    eos_spread_share: shareOfSpread(rows.map((row) => eosReward(row, ends)), rewards, prompts),
    length_correlation: correlationWithin(
      rewards,
      rows.map(({ responseIds }) => responseIds.length),
      prompts,
    ),
  };
}

/** Returns the part of the reward at EOS, after length normalisation. */
function eosReward(
  { responseIds, tokenRewards, rawReward, reward }: ScoredRow,
  ends: ReadonlySet<number>,
): number {
  const raw = tokenRewards.reduce((sum, r, t) => ends.has(responseIds[t]!) ? sum + r : sum, 0);
  return rawReward === 0 ? raw : raw * (reward / rawReward);
}

function topShare(rows: readonly ScoredRow[], ends: ReadonlySet<number>): number | null {
  const magnitudes = rows.flatMap(({ responseIds, tokenRewards }) =>
    Array.from(tokenRewards, Math.abs).filter((_, t) => !ends.has(responseIds[t]!))
  ).sort((a, b) => b - a);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const all = sum(magnitudes);
  return all > 0 ? sum(magnitudes.slice(0, Math.ceil(TOP * magnitudes.length))) / all : null;
}
