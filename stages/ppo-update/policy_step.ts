/** One update of the policy: the clipped surrogate loss, and the terms that are added to it. @module */
import { logprobGap } from "@/lib/model/rl/importance_sampling.ts";
import { klEstimatorAt } from "@/lib/model/rl/kl_placement.ts";
import { type PolicyStatistics, policyStatistics } from "@/lib/model/rl/policy_statistics.ts";
import { scatterTokens } from "@/lib/model/train/batching.ts";
import { type KlTerm, policyProgram, type PolicyProgramOptions } from "@/lib/model/train/ppo_programs.ts";
import type { DemonstrationStream } from "./demonstrations.ts";
import {
  discardGradients,
  type Learner,
  type LossInputs,
  type Minibatch,
  minibatchGradients,
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

/** Metrics of an update, why it was skipped, or that target_kl stopped it. */
export type PolicyResult = UpdateResult | { readonly earlyStop: true };

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
  stepOptions: PolicyStepOptions,
  params: Params,
): PolicyResult {
  const { options, inputs } = policyLoss(minibatch.trajectories, stepOptions.scaledBeta, params);
  const backward = minibatchGradients(minibatch, policy, policyProgram(options), inputs, params);
  if ("nonFinite" in backward) return backward;
  const { passes } = backward;
  const loss = passes.reduce((sum, { loss }) => sum + loss, 0);
  return finishPolicy(minibatch, policy, { passes, loss, options }, stepOptions, params);
}

/** Makes the optimizer step of the policy after its gradients were added. Returns as {@linkcode policyStep}. */
export function finishPolicy(
  minibatch: Minibatch,
  policy: Learner,
  { passes, loss, options }: {
    readonly passes: readonly TrainedMicroBatch[];
    /** of the policy alone */
    readonly loss: number;
    readonly options: PolicyProgramOptions;
  },
  { lr, demonstrations }: Pick<PolicyStepOptions, "lr" | "demonstrations">,
  params: Params,
): PolicyResult {
  const statistics = policyStatistics({
    logprobs: tokensOf(passes, "logprob"),
    oldLogprobs: tokensOf(passes, "oldLogprob"),
    advantages: tokensOf(passes, "advantage"),
  }, options.clip);
  if (statistics.approxKlK3 > (params.target_kl ?? Infinity)) {
    discardGradients(policy);
    return { earlyStop: true };
  }
  const demoLoss = demonstrations?.addGradients(policy, params);
  const step = optimizerStep(policy, lr, minibatch, params);
  if ("nonFinite" in step) return step;
  return {
    metrics: {
      policy_loss: loss,
      entropy: mean(tokensOf(passes, "entropy")),
      clip_fraction: statistics.clipFraction,
      dual_clip_fraction: statistics.dualClipFraction,
      approx_kl: statistics.approxKlK3,
      approx_kl_k1: statistics.approxKlK1,
      approx_kl_k2: statistics.approxKlK2,
      ratio: statistics.ratioMean,
      ratio_variance: statistics.ratioVariance,
      policy_grad_norm: step.norm,
      ...(options.kl && { kl_loss: mean(tokensOf(passes, "kl")) }),
      ...(demoLoss !== undefined && { demo_loss: demoLoss }),
      ...(minibatch.number === 1 && firstStepMetrics(minibatch, passes, statistics, params)),
    },
  };
}

/** Returns the loss by the parameters: the options of its program, and the program's inputs by name. */
export function policyLoss(
  trajectories: readonly Trajectory[],
  scaledBeta: number,
  params: Params,
): { readonly options: PolicyProgramOptions; readonly inputs: LossInputs } {
  const { clip_range: clipLow, clip_range_high: high, dual_clip: dualClip, kl_reference } = params;
  const importance = trajectories.flatMap((trajectory) => trajectory.importance ?? []);
  const sft = trajectories.map(({ sftLogprobs }) => sftLogprobs);
  const base = trajectories.map(({ baseLogprobs }) => baseLogprobs);
  const references = { sft: { ref0: sft }, base: { ref0: base }, both: { ref0: sft, ref1: base } };
  const kl: KlTerm | undefined = scaledBeta > 0
    ? {
      estimator: klEstimatorAt("loss", params.kl_estimator),
      references: kl_reference === "both" ? 2 : 1,
      logRatioBound: params.kl_clip ?? LOG_RATIO_BOUND,
    }
    : undefined;
  return {
    options: {
      clip: { clipLow, clipHigh: high ?? clipLow, dualClip },
      temperature: params.temperature,
      entropyCoefficient: params.entropy_coef,
      ...(importance.length > 0 && { importance: true }),
      ...(kl && { kl }),
    },
    inputs: {
      tokens: {
        oldLogprob: trajectories.map(({ oldLogprobs }) => oldLogprobs),
        advantage: trajectories.map(({ advantages }) => advantages),
        weight: tokenWeights(trajectories, params.loss_aggregation, params.max_new_tokens),
        ...(importance.length > 0 && { importance }),
        ...(kl && references[kl_reference]),
      },
      scalars: kl ? { scaledBeta } : {},
    },
  };
}

/** Returns the distance of the first step's log-probabilities, before any update, from the old ones. */
function firstStepMetrics(
  { trajectories }: Minibatch,
  passes: readonly TrainedMicroBatch[],
  { ratioDeviation: first_ratio_deviation }: PolicyStatistics,
  params: Params,
): Record<string, number> {
  if (params.old_logprobs === "recomputed") return { first_ratio_deviation };
  const sequences = trajectories.map(({ sequence }) => sequence), logprobs: Float32Array[] = [];
  for (const { micro, tokens } of passes) scatterTokens(micro, sequences, tokens.logprob!, logprobs);
  const gap = logprobGap(logprobs, trajectories.map(({ oldLogprobs }) => oldLogprobs));
  checkLogprobGap(gap, trajectories, params);
  return { first_ratio_deviation, logprob_gap: gap.meanProbability, logprob_gap_max: gap.maxProbability };
}

function mean(values: readonly number[]): number {
  const weight = 1 / values.length;
  return values.reduce((sum, x) => sum + x * weight, 0);
}
