/**
 * The record of one response. Each step of an iteration adds its fields: {@linkcode Rollout}, {@linkcode RewardedRollout}, {@linkcode Evaluated},
 * {@linkcode Trajectory}. Per-token arrays have one entry per response token, [R].
 * @module
 */
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { responseSequence } from "@/lib/model/reward/reward_model.ts";
import type { Sequence } from "@/lib/model/train/batching.ts";

/** Columns that only {@linkcode rolloutOf} reads. */
type Replaced = "logprobs" | "logprobsT1" | "sftLogprobs" | "baseLogprobs" | keyof Tempered;
type Tempered = Pick<ScoredRow, "temperature" | "sftLogprobsTempered" | "baseLogprobsTempered">;

/** A scored response with the policy's log-probabilities before any update. */
export interface Rollout extends Omit<ScoredRow, Replaced> {
  /** prompt and response; the targets are the response's tokens */
  readonly sequence: Sequence;
  /** whether the length limit ended it */
  readonly isTruncated: boolean;
  /** [R] nats at the sampling temperature: the denominator of the ratio */
  readonly oldLogprobs: Float32Array;
  /** [R] nats of the policy for KL and entropy, at the temperature of the next two */
  readonly klLogprobs: Float32Array;
  /** [R] nats under the SFT model at the sampling temperature */
  readonly sftLogprobs: Float32Array;
  /** [R] nats under the base at the sampling temperature */
  readonly baseLogprobs: Float32Array;
  /** [R] truncated importance weights; absent without tis_cap */
  readonly importance?: Float64Array;
}

/** A rollout with its rewards. */
export interface RewardedRollout extends Rollout {
  /** [R] raw nats, after length normalisation: their sum is `reward`, and that before t depends on the tokens before t alone */
  readonly rewardPerToken: Float64Array;
  /** of the whole response: centred, scaled and clipped, or missing_eos_value */
  readonly scaledReward: number;
  /** [R] r_t: the scaled reward by reward_placement, minus the KL penalty if that is in the reward */
  readonly rewards: Float64Array;
}

/** The fields that the critic adds to a rollout. */
export interface Evaluated {
  /** outputs of the network before any update */
  readonly criticOutput: {
    /** [R] at the states that predict the tokens */
    readonly perToken: ArrayLike<number>;
    /** at the state after the last token; undefined where the response ends there */
    readonly afterLast: number | undefined;
  };
}

/** The critic's values before any update, and its regression targets. */
export interface CriticTargets {
  /** [R] what a value has beyond the network's output: 0 without residual_critic */
  readonly offsets: Float64Array;
  /** [R] V_t of the state that predicts token t */
  readonly oldValues: Float64Array;
  /** V_R of the state after the last token; undefined where the response ends there */
  readonly bootstrap: number | undefined;
  /** [R] advantages before whitening + values */
  readonly returns: Float64Array;
}

/** A rollout that both networks are trained on. */
export interface Trajectory extends RewardedRollout {
  /** [R] whitened and clipped by the parameters */
  readonly advantages: Float64Array;
  /** absent where the estimator needs no critic */
  readonly critic?: CriticTargets;
}

/**
 * Returns the record of a scored response with the sampler's log-probabilities. Policy, SFT model and base have the sampling temperature: a KL is
 * estimated without bias only if its samples are drawn from the policy that it is of.
 */
export function rolloutOf(scored: ScoredRow): Rollout {
  const { logprobs, logprobsT1, temperature = 1, sftLogprobsTempered, baseLogprobsTempered, ...row } = scored;
  return {
    ...row,
    sequence: responseSequence(row),
    isTruncated: row.finishReason === "length",
    oldLogprobs: logprobs,
    // at temperature 1 the sampler's own differ from these by top-k and top-p
    klLogprobs: temperature === 1 ? logprobsT1 ?? logprobs : logprobs,
    sftLogprobs: sftLogprobsTempered ?? row.sftLogprobs,
    baseLogprobs: baseLogprobsTempered ?? row.baseLogprobs,
  };
}
