/**
 * What can be said of a reward without anybody who knows which answers are good: whether its members agree, and whether it is
 * carried by a few tokens, by the end, or by length. In: answers of the SFT model, scored. Out: figures. Pure.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { memberRewards, type RewardRule, scoredRows } from "@/lib/reward/scored_rows.ts";
import {
  agreementWithin,
  correlationWithin,
  reliabilityOfMean,
  shareOfSpread,
} from "@/lib/rl/within_groups.ts";
import type { Heard } from "./hear_answers.ts";

/** Figures of answers to prompts, several to each; null where undefined. */
export interface Diagnosis {
  readonly answers: number;
  readonly prompts: number;
  /** mean, over pairs of members, of the correlation of their rewards within prompts; null for one member */
  readonly member_agreement: number | null;
  /** share of the combined reward's variance within prompts that members share (Spearman and Brown); null for one member */
  readonly reliability: number | null;
  /** share of what tokens earn and lose that the 1 % of largest magnitude carry, ends left out; null where nothing is paid */
  readonly top_token_share: number | null;
  /** share of the reward's variance within prompts that the end token makes */
  readonly eos_spread_share: number | null;
  /** correlation of reward and length within prompts */
  readonly length_correlation: number | null;
}

/** The share of tokens that `top_token_share` looks at. */
const TOP = 0.01;

/** Figures of a reward, from what its models say of answers. */
export function diagnose({ rows, logprobs, judges }: Heard, rule: RewardRule): Diagnosis {
  const scored = scoredRows(rows, logprobs, rule);
  return diagnosis(scored, memberRewards(rows, { ...logprobs, members: judges }, rule), rule.eosIds);
}

/**
 * Figures of scored answers.
 * @param perMember what each member alone would pay, [K][rows]
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
    answers: rows.length,
    prompts: numbers.size,
    member_agreement: agreement,
    reliability: agreement === null ? null : reliabilityOfMean(agreement, perMember.length),
    top_token_share: topShare(rows, ends),
    eos_spread_share: shareOfSpread(rows.map((row) => endReward(row, ends)), rewards, prompts),
    length_correlation: correlationWithin(
      rewards,
      rows.map(({ responseIds }) => responseIds.length),
      prompts,
    ),
  };
}

/** What the end token adds to the reward, as length normalisation leaves it. */
function endReward(
  { responseIds, tokenRewards, rawReward, reward }: ScoredRow,
  ends: ReadonlySet<number>,
): number {
  const raw = tokenRewards.reduce((sum, r, t) => ends.has(responseIds[t]!) ? sum + r : sum, 0);
  return rawReward === 0 ? raw : raw * (reward / rawReward);
}

function topShare(rows: readonly ScoredRow[], ends: ReadonlySet<number>): number | null {
  const paid = rows.flatMap(({ responseIds, tokenRewards }) =>
    Array.from(tokenRewards, Math.abs).filter((_, t) => !ends.has(responseIds[t]!))
  ).sort((a, b) => b - a);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const all = sum(paid);
  return all > 0 ? sum(paid.slice(0, Math.ceil(TOP * paid.length))) / all : null;
}
