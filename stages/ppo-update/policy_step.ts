/** One update of the policy: the clipped surrogate loss, and what is added to it. @module */
import { logprobGap } from "@/lib/rl/importance_sampling.ts";
import { klEstimatorAt } from "@/lib/rl/kl_placement.ts";
import { type PolicyStatistics, policyStatistics } from "@/lib/rl/policy_statistics.ts";
import { scatterTokens, type Sequence } from "@/lib/train/batching.ts";
import { policyProgram, type PolicyProgramOptions } from "@/lib/train/ppo_programs.ts";
import type { DemonstrationStream } from "./demonstrations.ts";
import {
  addGradients,
  discardGradients,
  firstNonFinite,
  type Learner,
  type LossInputs,
  type Minibatch,
  optimizerStep,
  tokensOf,
  tokenWeights,
  type TrainedMicroBatch,
  type UpdateResult,
} from "./minibatch.ts";
import { checkLogprobGap } from "./old_logprobs.ts";
import type { Params } from "./params.ts";
import type { Trajectory } from "./trajectory.ts";

/** What all updates of the policy in an iteration share. */
export interface PolicyStepOptions {
  readonly lr: number;
  /** coefficient of a KL term in the loss; 0 without one */
  readonly scaledBeta: number;
  /** demonstrations whose loss is added */
  readonly demonstrations: DemonstrationStream | undefined;
}

/** Bound of a token's log-ratio in a KL term of the loss, nats (verl core_algos). */
const LOG_RATIO_BOUND = 20;

/**
 * Moves the policy by one minibatch.
 * @returns `earlyStop` where approx_kl exceeds target_kl: the update is then not made
 * @throws {DataError} if the first update finds that the sampler was not this policy (old_logprobs: sampled)
 */
export function policyStep(
  minibatch: Minibatch,
  policy: Learner,
  { lr, scaledBeta, demonstrations }: PolicyStepOptions,
  params: Params,
): UpdateResult | { readonly earlyStop: true } {
  const { trajectories } = minibatch, options = programOptions(params, { scaledBeta, trajectories });
  const sequences = trajectories.map(({ sequence }) => sequence);
  const inputs = lossInputs(trajectories, sequences, options, { scaledBeta, params });
  const passes = addGradients(policy, policyProgram(options), sequences, inputs, params);
  const nonFinite = firstNonFinite(minibatch, passes);
  if (nonFinite) {
    discardGradients(policy.optimizer);
    return { nonFinite };
  }
  const statistics = policyStatistics({
    logprobs: tokensOf(passes, "logprob"),
    oldLogprobs: tokensOf(passes, "oldLogprob"),
    advantages: tokensOf(passes, "advantage"),
  }, options.clip);
  if (params.target_kl !== null && statistics.approxKlK3 > params.target_kl) {
    discardGradients(policy.optimizer);
    return { earlyStop: true };
  }
  const demoLoss = demonstrations?.addGradients(policy, params);
  const step = optimizerStep(policy, lr, minibatch, params);
  if ("nonFinite" in step) return step;
  return {
    metrics: {
      ...stepMetrics(passes, statistics),
      policy_grad_norm: step.norm,
      ...(options.kl ? { kl_loss: mean(tokensOf(passes, "kl")) } : {}),
      ...(demoLoss === undefined ? {} : { demo_loss: demoLoss }),
      ...(minibatch.number === 1 ? firstStepMetrics(minibatch, passes, statistics, params) : {}),
    },
  };
}

/** Returns what the loss consists of by the parameters. */
function programOptions(
  params: Params,
  { scaledBeta, trajectories }: {
    readonly scaledBeta: number;
    readonly trajectories: readonly Trajectory[];
  },
): PolicyProgramOptions {
  return {
    clip: {
      clipLow: params.clip_range,
      clipHigh: params.clip_range_high ?? params.clip_range,
      dualClip: params.dual_clip,
    },
    temperature: params.temperature,
    entropyCoefficient: params.entropy_coef,
    ...(trajectories[0]!.importance ? { importance: true } : {}),
    ...(scaledBeta > 0
      ? {
        kl: {
          estimator: klEstimatorAt("loss", params.kl_estimator),
          references: params.kl_reference === "both" ? 2 : 1,
          logRatioBound: params.kl_clip ?? LOG_RATIO_BOUND,
        },
      }
      : {}),
  };
}

/** Returns the per-token inputs of the loss, by their names in the program. */
function lossInputs(
  trajectories: readonly Trajectory[],
  sequences: readonly Sequence[],
  { importance, kl }: PolicyProgramOptions,
  { scaledBeta, params }: { readonly scaledBeta: number; readonly params: Params },
): LossInputs {
  const sft = trajectories.map(({ sftLogprobs }) => sftLogprobs);
  const base = trajectories.map(({ baseLogprobs }) => baseLogprobs);
  const references = { sft: { ref0: sft }, base: { ref0: base }, both: { ref0: sft, ref1: base } };
  return {
    tokens: {
      oldLogprob: trajectories.map(({ oldLogprobs }) => oldLogprobs),
      advantage: trajectories.map(({ advantages }) => advantages),
      weight: tokenWeights(sequences, params.loss_aggregation),
      ...(importance ? { importance: trajectories.map((trajectory) => trajectory.importance!) } : {}),
      ...(kl ? references[params.kl_reference] : {}),
    },
    scalars: kl ? { scaledBeta } : {},
  };
}

function stepMetrics(
  passes: readonly TrainedMicroBatch[],
  statistics: PolicyStatistics,
): Record<string, number> {
  return {
    policy_loss: passes.reduce((sum, { loss }) => sum + loss, 0),
    entropy: mean(tokensOf(passes, "entropy")),
    clip_fraction: statistics.clipFraction,
    dual_clip_fraction: statistics.dualClipFraction,
    approx_kl: statistics.approxKlK3,
    approx_kl_k1: statistics.approxKlK1,
    approx_kl_k2: statistics.approxKlK2,
    ratio: statistics.ratioMean,
    ratio_variance: statistics.ratioVariance,
  };
}

/** Returns how far the log-probabilities of the first step, before any update, are from the old ones. */
function firstStepMetrics(
  { trajectories }: Minibatch,
  passes: readonly TrainedMicroBatch[],
  { ratioDeviation }: PolicyStatistics,
  params: Params,
): Record<string, number> {
  if (params.old_logprobs === "recomputed") return { first_ratio_deviation: ratioDeviation };
  const sequences = trajectories.map(({ sequence }) => sequence), logprobs: Float32Array[] = [];
  for (const { micro, tokens } of passes) scatterTokens(micro, sequences, tokens.logprob!, logprobs);
  const gap = logprobGap(logprobs, trajectories.map(({ oldLogprobs }) => oldLogprobs));
  checkLogprobGap(gap, trajectories, params);
  return {
    first_ratio_deviation: ratioDeviation,
    logprob_gap: gap.meanProbability,
    logprob_gap_max: gap.maxProbability,
  };
}

function mean(values: readonly number[]): number {
  const weight = 1 / values.length;
  return values.reduce((sum, x) => sum + x * weight, 0);
}
