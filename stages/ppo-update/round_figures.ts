/** What a round's rollouts tell before anything is learned from them. Pure. @module */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { correlation } from "@/lib/rl/moments.ts";
import { tokenKl } from "./advantages.ts";

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);

/** Means over the responses of a round; nats per response unless the name says per token. */
export interface RoundFigures {
  readonly reward: number;
  readonly reward_std: number;
  /** Σ log π − log π_sft */
  readonly kl: number;
  readonly kl_per_token: number;
  readonly kl_base: number;
  readonly response_tokens: number;
  readonly eos_rate: number;
  /** over tokens, ends left out: how unlikely the base finds the text */
  readonly base_nll?: number;
  /** Pearson; left out where undefined */
  readonly reward_length_correlation?: number;
  /** distinct word pairs over word pairs; left out without texts */
  readonly distinct_2?: number;
}

/**
 * Figures of a round.
 * @param options.texts of the responses, where a tokenizer is there
 * @param options.hasBos without BOS the base cannot predict a response's first token, so base_nll does not count it
 */
export function roundFigures(
  rows: readonly ScoredRow[],
  { texts, hasBos }: { readonly texts?: readonly string[] | undefined; readonly hasBos: boolean },
): RoundFigures {
  const rewards = rows.map(({ rawReward }) => rawReward),
    lengths = rows.map(({ responseIds }) => responseIds.length);
  const kl = rows.map((row) => sum(tokenKl(row, "sft"))), tokens = sum(lengths), reward = mean(rewards);
  const ends = rows.map(({ finishReason }) => finishReason === "eos" ? 1 : 0);
  const fluent = rows.flatMap(({ baseNll }, i) =>
    baseNll === null ? [] : [{ nll: baseNll, n: lengths[i]! - ends[i]! - (hasBos ? 0 : 1) }]
  );
  const pairs = correlation(rewards, lengths);
  return {
    reward,
    reward_std: Math.sqrt(sum(rewards.map((r) => (r - reward) ** 2)) / Math.max(1, rows.length - 1)),
    kl: mean(kl),
    kl_per_token: sum(kl) / tokens,
    kl_base: mean(rows.map((row) => sum(tokenKl(row, "base")))),
    response_tokens: tokens / rows.length,
    eos_rate: mean(ends),
    ...(fluent.length > 0
      ? { base_nll: sum(fluent.map((f) => f.nll * f.n)) / sum(fluent.map((f) => f.n)) }
      : {}),
    ...(pairs === null ? {} : { reward_length_correlation: pairs }),
    ...(texts ? { distinct_2: distinctPairs(texts) } : {}),
  };
}

/** Share of distinct pairs of neighbouring words among all pairs of all texts (Li et al. 2016, arXiv:1510.03055). */
function distinctPairs(texts: readonly string[]): number {
  const pairs = texts.flatMap((text) => {
    const words = text.split(/\s+/).filter((word) => word !== "");
    return words.slice(1).map((word, i) => `${words[i]} ${word}`);
  });
  return new Set(pairs).size / Math.max(1, pairs.length);
}
