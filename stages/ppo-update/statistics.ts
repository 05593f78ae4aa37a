/** The metrics of an iteration: of its rollouts, of rewards and advantages, and of its updates. @module */
import { distinctShare, repetition } from "@/lib/model/rl/diversity.ts";
import { explainedVariance } from "@/lib/model/rl/value_statistics.ts";
import { klEstimates } from "@/lib/model/rl/kl.ts";
import { correlation, moments } from "@/lib/model/rl/moments.ts";
import type { Rows } from "@/lib/model/rl/rows.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { Minibatch, UpdateResult } from "./minibatch.ts";
import { tokenKl } from "./rewards.ts";
import type { RewardedRollout, Rollout, Trajectory } from "./trajectory.ts";

const mean = (values: readonly number[]) => sum(values) / values.length;
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0);
const min = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b));
const max = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b));

/** Length of the n-grams of `repetition`. */
export const REPETITION_N = 4;

/** Means over the responses of an iteration; nats per response unless the name says per token. */
export interface RolloutStatistics {
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
  /** share that reached the length limit */
  readonly truncated_rate: number;
  /** seq-rep-4 over token ids */
  readonly repetition: number;
  /** mean NLL of the responses under the base, per token without EOS */
  readonly base_nll?: number;
  /** Pearson; left out where undefined */
  readonly reward_length_correlation?: number;
  /** distinct words over words; left out without texts, as the next */
  readonly distinct_1?: number;
  /** distinct word pairs over word pairs */
  readonly distinct_2?: number;
}

/**
 * Returns the statistics of the rollouts before any update.
 * @param options.texts of the responses, where the policy has a tokenizer
 * @param options.hasBos without BOS the base cannot predict a response's first token, so base_nll does not count it
 */
export function rolloutStatistics(
  rollouts: readonly Rollout[],
  { texts, hasBos }: { readonly texts?: readonly string[] | undefined; readonly hasBos: boolean },
): RolloutStatistics {
  const rewards = rollouts.map(({ rawReward }) => rawReward), reward = mean(rewards);
  const lengths = rollouts.map(({ responseIds }) => responseIds.length), tokens = sum(lengths);
  const prompts = rollouts.map(({ promptIds }) => promptIds.length);
  const kl = rollouts.map((rollout) => sum(tokenKl(rollout, "sft")));
  const ends = rollouts.map(({ finishReason }) => finishReason === "eos" ? 1 : 0);
  const nll = rollouts.flatMap(({ baseNll }, i) =>
    baseNll === null ? [] : [{ baseNll, tokens: lengths[i]! - ends[i]! - (hasBos ? 0 : 1) }]
  );
  const lengthCorrelation = correlation(rewards, lengths);
  const words = texts?.map((text) => text.split(/\s+/).filter((word) => word !== ""));
  return {
    responses: rollouts.length,
    reward,
    reward_std: Math.sqrt(sum(rewards.map((r) => (r - reward) ** 2)) / Math.max(1, rollouts.length - 1)),
    reward_min: min(rewards),
    reward_max: max(rewards),
    kl_to_sft: mean(kl),
    kl_to_sft_per_token: sum(kl) / tokens,
    kl_to_sft_k3: mean(
      rollouts.map(({ klLogprobs, sftLogprobs }) => sum(klEstimates("k3", klLogprobs, sftLogprobs))),
    ),
    kl_to_base: mean(rollouts.map((rollout) => sum(tokenKl(rollout, "base")))),
    response_entropy: -mean(rollouts.map(({ klLogprobs }) => sum(klLogprobs))),
    prompt_length: mean(prompts),
    prompt_length_max: max(prompts),
    response_length: tokens / rollouts.length,
    response_length_min: min(lengths),
    response_length_max: max(lengths),
    eos_rate: mean(ends),
    truncated_rate: mean(rollouts.map(({ isTruncated }) => isTruncated ? 1 : 0)),
    repetition: mean(rollouts.map(({ responseIds }) => repetition(responseIds, REPETITION_N))),
    ...(nll.length > 0
      ? { base_nll: sum(nll.map((of) => of.baseNll * of.tokens)) / sum(nll.map((of) => of.tokens)) }
      : {}),
    ...(lengthCorrelation === null ? {} : { reward_length_correlation: lengthCorrelation }),
    ...(words ? { distinct_1: distinctShare(words, 1), distinct_2: distinctShare(words, 2) } : {}),
  };
}

/**
 * Returns the statistics of rewards, advantages and values before any update.
 * @param rollouts all of the iteration
 * @param trajectories those that are trained on
 * @param klPenalty beta times the KL to its reference, nats per response
 */
export function advantageStatistics(
  rollouts: readonly RewardedRollout[],
  trajectories: readonly Trajectory[],
  klPenalty: number,
): Record<string, number> {
  const advantages = trajectories.map((trajectory) => trajectory.advantages);
  return {
    scaled_reward: moments([rollouts.map(({ scaledReward }) => scaledReward)]).mean,
    kl_penalty: klPenalty,
    total_reward: moments([rollouts.map(({ reward }) => reward)]).mean - klPenalty,
    trained_responses: trajectories.length,
    ...(trajectories.length === 0 ? {} : {
      advantage_mean: moments(advantages).mean,
      advantage_min: min(advantages.map((row) => row.reduce((a, b) => Math.min(a, b)))),
      advantage_max: max(advantages.map((row) => row.reduce((a, b) => Math.max(a, b)))),
    }),
    ...criticStatistics(trajectories),
  };
}

function criticStatistics(trajectories: readonly Trajectory[]): Record<string, number> {
  const critics = trajectories.flatMap(({ critic }) => critic ? [critic] : []);
  if (critics.length === 0) return {};
  const returns = critics.map((critic) => critic.returns), values = critics.map(({ oldValues }) => oldValues);
  // The prefix of a residual critic is known and would explain most of the variance by itself.
  const unexplained = critics.map(({ returns, offsets }) => returns.map((r, t) => r - offsets[t]!));
  const heads = critics.map(({ oldValues, offsets }) => oldValues.map((v, t) => v - offsets[t]!));
  const bootstraps = critics.flatMap(({ bootstrap }) => bootstrap === undefined ? [] : [bootstrap]);
  const std = (rows: Rows) => Math.sqrt(moments(rows).variance),
    explained = explainedVariance(heads, unexplained);
  return {
    return_mean: moments(returns).mean,
    return_std: std(returns),
    value_mean: moments(values).mean,
    value_std: std(values),
    ...(bootstraps.length === 0 ? {} : { bootstrap_mean: moments([bootstraps]).mean }),
    ...(explained === null ? {} : { explained_variance: explained }),
  };
}

/** Means of the updates' metrics, each over the updates that have it, and the number of updates that were skipped. */
export class UpdateStatistics {
  /** updates without an optimizer step, because something was not finite */
  skipped = 0;
  readonly #sums = new Map<string, { sum: number; count: number }>();

  /** @param maxSkipped updates that may be skipped */
  constructor(readonly maxSkipped: number, readonly iteration: number) {}

  /**
   * Adds the metrics of one update, or counts it as skipped.
   * @throws {DataError} if more than `maxSkipped` were skipped; names network, minibatch, tensor and rows
   */
  add(network: "policy" | "critic", { number }: Minibatch, result: UpdateResult): void {
    if ("metrics" in result) {
      for (const [name, value] of Object.entries(result.metrics)) {
        const known = this.#sums.get(name);
        this.#sums.set(
          name,
          known ? { sum: known.sum + value, count: known.count + 1 } : { sum: value, count: 1 },
        );
      }
      return;
    }
    if (++this.skipped <= this.maxSkipped) return;
    const { tensor, rows, value } = result.nonFinite;
    const ids = listed(rows.map((id) => `"${id}"`), { most: 3, separator: ", " });
    throw new DataError(
      `Training diverged: more than ${this.maxSkipped} updates of an iteration (max_skipped_updates) have a non-finite loss or ` +
        `gradient; in iteration ${this.iteration}, minibatch ${number}, ${tensor} of the ${network} is ${value} for ` +
        `${rows.length === 1 ? "row" : "rows"} ${ids}`,
    );
  }

  /** Returns the means so far. */
  means(): Record<string, number> {
    return Object.fromEntries([...this.#sums].map(([name, { sum, count }]) => [name, sum / count]));
  }
}
