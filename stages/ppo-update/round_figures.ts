/** What a round's rollouts tell before anything is learned from them. Pure. @module */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { distinctShare, repetition } from "@/lib/rl/diversity.ts";
import { klEstimates } from "@/lib/rl/kl.ts";
import { correlation } from "@/lib/rl/moments.ts";
import type { Params } from "./params.ts";
import { isCut, tokenKl } from "./pay.ts";

const mean = (values: readonly number[]) => sum(values) / values.length;
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b));
const most = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b));

/** Length of the n-grams of `repetition`. */
export const REPEATED = 4;

/** Means over the responses of a round; nats per response unless the name says per token. */
export interface RoundFigures {
  readonly responses: number;
  readonly reward: number;
  readonly reward_std: number;
  readonly reward_min: number;
  readonly reward_max: number;
  /** Σ log π − log π_sft: k1 */
  readonly kl_to_sft: number;
  readonly kl_to_sft_per_token: number;
  /** Σ k3 of the same */
  readonly kl_to_sft_k3: number;
  readonly kl_to_base: number;
  /** −Σ log π: an estimate of the entropy of whole responses */
  readonly response_entropy: number;
  readonly prompt_length: number;
  readonly prompt_length_max: number;
  readonly response_length: number;
  readonly response_length_min: number;
  readonly response_length_max: number;
  readonly eos_rate: number;
  /** share that the length limit cut */
  readonly truncated_rate: number;
  /** seq-rep-4 over token ids */
  readonly repetition: number;
  /** over tokens, ends left out: how unlikely the base finds the text */
  readonly base_nll?: number;
  /** Pearson; left out where undefined */
  readonly reward_length_correlation?: number;
  /** distinct words over words; left out without texts, as the next */
  readonly distinct_1?: number;
  /** distinct word pairs over word pairs */
  readonly distinct_2?: number;
}

/** KL to the reference of the penalty, nats per response. */
export function klTo({ kl_to_sft: kl, kl_to_base }: RoundFigures, reference: Params["kl_reference"]): number {
  return reference === "sft" ? kl : reference === "base" ? kl_to_base : (kl + kl_to_base) / 2;
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
    lengths = rows.map(({ responseIds }) => responseIds.length),
    prompts = rows.map(({ promptIds }) => promptIds.length);
  const kl = rows.map((row) => sum(tokenKl(row, "sft"))), tokens = sum(lengths), reward = mean(rewards);
  const own = rows.map((row) => row.logprobsT1 ?? row.logprobs);
  const ends = rows.map(({ finishReason }) => finishReason === "eos" ? 1 : 0);
  const fluent = rows.flatMap(({ baseNll }, i) =>
    baseNll === null ? [] : [{ nll: baseNll, n: lengths[i]! - ends[i]! - (hasBos ? 0 : 1) }]
  );
  const pairs = correlation(rewards, lengths);
  const words = texts?.map((text) => text.split(/\s+/).filter((word) => word !== ""));
  return {
    responses: rows.length,
    reward,
    reward_std: Math.sqrt(sum(rewards.map((r) => (r - reward) ** 2)) / Math.max(1, rows.length - 1)),
    reward_min: least(rewards),
    reward_max: most(rewards),
    kl_to_sft: mean(kl),
    kl_to_sft_per_token: sum(kl) / tokens,
    kl_to_sft_k3: mean(rows.map((row, i) => sum(klEstimates("k3", own[i]!, row.sftLogprobs)))),
    kl_to_base: mean(rows.map((row) => sum(tokenKl(row, "base")))),
    response_entropy: -mean(own.map(sum)),
    prompt_length: mean(prompts),
    prompt_length_max: most(prompts),
    response_length: tokens / rows.length,
    response_length_min: least(lengths),
    response_length_max: most(lengths),
    eos_rate: mean(ends),
    truncated_rate: mean(rows.map((row) => isCut(row) ? 1 : 0)),
    repetition: mean(rows.map(({ responseIds }) => repetition(responseIds, REPEATED))),
    ...(fluent.length > 0
      ? { base_nll: sum(fluent.map((f) => f.nll * f.n)) / sum(fluent.map((f) => f.n)) }
      : {}),
    ...(pairs === null ? {} : { reward_length_correlation: pairs }),
    ...(words ? { distinct_1: distinctShare(words, 1), distinct_2: distinctShare(words, 2) } : {}),
  };
}
