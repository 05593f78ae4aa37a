/** One update of the policy. @module */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { klEstimatorAt } from "@/lib/rl/kl_placement.ts";
import type { PolicyClip } from "@/lib/rl/policy_clip.ts";
import { policyStatistics } from "@/lib/rl/policy_statistics.ts";
import { scatterTokens } from "@/lib/train/batching.ts";
import { policyProgram, type PolicyProgramOptions } from "@/lib/train/ppo_programs.ts";
import type { Advantages } from "./advantages.ts";
import type { StepResult } from "./critic_step.ts";
import type { DemonstrationStream } from "./demonstrations.ts";
import { append, type Learner, type Minibatch, tokenWeights, trainingPasses } from "./minibatch.ts";
import type { Params } from "./params.ts";
import { nonFiniteResult, stepOrSkip } from "./skips.ts";

/** What all updates of the policy in a round share. */
export interface PolicyRound {
  readonly rows: readonly ScoredRow[];
  readonly advantages: Advantages;
  readonly lr: number;
  /** weight of a KL penalty in the loss; 0 where there is none */
  readonly scaledBeta: number;
  /** truncated importance weights, [R] each */
  readonly importance: readonly Float64Array[] | undefined;
  readonly demonstrations: DemonstrationStream | undefined;
}

/** A step of the policy, that it was called off, or why it was not made. */
export type PolicyStepResult =
  & StepResult
  & {
    /** the policy has moved as far as target_kl allows: this update was not made */
    readonly stop?: boolean;
    /** of the round's first minibatch: log-probabilities before the step, by rollout */
    readonly logprobs?: readonly Float32Array[];
  };

const LOG_RATIO = 20;

/** The policy's loss by the parameters. */
function programOf(params: Params, { scaledBeta, importance }: PolicyRound): PolicyProgramOptions {
  const clip: PolicyClip = {
    clipLow: params.clip_range,
    clipHigh: params.clip_range_high ?? params.clip_range,
    dualClip: params.dual_clip,
  };
  return {
    clip,
    temperature: params.temperature,
    entropyCoefficient: params.entropy_coef,
    ...(importance ? { importance: true } : {}),
    ...(scaledBeta > 0
      ? {
        kl: {
          estimator: klEstimatorAt("loss", params.kl_estimator),
          references: params.kl_reference === "both" ? 2 : 1,
          logRatioBound: params.kl_clip ?? LOG_RATIO,
        },
      }
      : {}),
  };
}

/** Log-probabilities of the references of the KL penalty, by their names in the program. */
function referencesOf(rows: readonly ScoredRow[], reference: Params["kl_reference"]) {
  const sft = rows.map(({ sftLogprobs }) => sftLogprobs), base = rows.map(({ baseLogprobs }) => baseLogprobs);
  if (reference === "both") return { ref0: sft, ref1: base };
  return { ref0: reference === "sft" ? sft : base };
}

/** Moves the policy by one minibatch; figures are taken before the step. */
export function policyStep(
  minibatch: Minibatch,
  round: PolicyRound,
  learner: Learner,
  params: Params,
): PolicyStepResult {
  const { network, optimizer } = learner, { members } = minibatch;
  const rows = members.map((i) => round.rows[i]!), options = programOf(params, round);
  const weight = tokenWeights(minibatch, params.loss_aggregation);
  const perRow = {
    oldLogprob: rows.map(({ logprobs }) => logprobs),
    advantage: members.map((i) => round.advantages.advantages[i]!),
    weight,
    ...(round.importance ? { importance: members.map((i) => round.importance![i]!) } : {}),
    ...(options.kl ? referencesOf(rows, params.kl_reference) : {}),
  };
  const scalars: Record<string, number> = options.kl ? { scaledBeta: round.scaledBeta } : {};
  const passes = trainingPasses(minibatch, policyProgram(options), { perRow, scalars }, params);
  const results = passes.map(({ pass }) => network.run(pass));
  const discard = () => void optimizer.gradients.data.fill(0);
  const skip = nonFiniteResult(minibatch, passes, results);
  if (skip) {
    discard();
    return { skip };
  }
  const seen = { logprobs: [] as number[], oldLogprobs: [] as number[], advantages: [] as number[] };
  let loss = 0;
  const entropies: number[] = [], kls: number[] = [];
  results.forEach((result, i) => {
    const { tokens } = passes[i]!.pass;
    loss += result.loss;
    append(entropies, result.tokens.entropy!);
    if (result.tokens.kl) append(kls, result.tokens.kl);
    append(seen.logprobs, result.tokens.logprob!);
    append(seen.oldLogprobs, tokens.oldLogprob!);
    append(seen.advantages, tokens.advantage!);
  });
  const s = policyStatistics(seen, options.clip), mean = 1 / s.tokens;
  if (params.target_kl !== null && s.approxKlK3 > params.target_kl) {
    discard();
    return { figures: {}, stop: true };
  }
  const demonstrated = round.demonstrations?.addGradients(learner, params);
  const step = stepOrSkip(learner, round.lr, minibatch);
  if ("skip" in step) return step;
  const figures = {
    policy_loss: loss,
    entropy: entropies.reduce((sum, e) => sum + e * mean, 0),
    clip_fraction: s.clipFraction,
    dual_clip_fraction: s.dualClipFraction,
    approx_kl: s.approxKlK3,
    approx_kl_k1: s.approxKlK1,
    approx_kl_k2: s.approxKlK2,
    ratio: s.ratioMean,
    ratio_variance: s.ratioVariance,
    ratio_deviation: s.ratioDeviation,
    policy_grad_norm: step.norm,
    ...(options.kl ? { kl_loss: kls.reduce((sum, k) => sum + k * mean, 0) } : {}),
    ...(demonstrated === undefined ? {} : { demo_loss: demonstrated }),
  };
  if (minibatch.number > 1) return { figures };
  const logprobs = rows.map(() => new Float32Array(0));
  passes.forEach(({ micro }, i) =>
    scatterTokens(micro, minibatch.sequences, results[i]!.tokens.logprob!, logprobs)
  );
  return { figures, logprobs };
}
