/** Compares GRPO and DPO with values that TRL's own trainers computed. @module */
import { groupMeanBaseline, grpo } from "@/lib/model/rl/group_baselines.ts";
import { klEstimates, type KlEstimator } from "@/lib/model/rl/kl.ts";
import { klLossPerToken } from "@/lib/model/rl/kl_loss.ts";
import { dpoLoss } from "@/lib/model/rl/pair_loss.ts";
import { policyLossPerToken } from "@/lib/model/rl/policy_loss.ts";
import { policyObjectivePerToken } from "@/lib/model/rl/policy_objective.ts";
import { policyStatistics } from "@/lib/model/rl/policy_statistics.ts";
import { f64, i64 } from "@/lib/compute/tensor/tensor.ts";
import { evaluateVjp } from "@/tests/support/evaluate.ts";
import { type Compared, lossAndGradient, type Rows, split, sum, vector, weightsOf } from "./compare.ts";

interface GrpoCase {
  loss_type: "grpo" | "bnpo" | "dr_grpo" | "dapo";
  beta: number;
  epsilon: number;
  epsilon_high: number;
  max_completion_length: number;
  loss: number;
  kl: number | null;
}

interface GrpoLossCase extends GrpoCase {
  bias_correction: boolean;
  old_logprobs: Rows;
  logprobs: Rows;
  ref_logprobs: Rows | null;
  advantages: readonly number[];
  gradient: Rows;
  clip_fraction: number;
}

/** Compares one case of its file. */
export function checkGrpoLoss(c: GrpoLossCase): Compared {
  const clip = { clipLow: c.epsilon, clipHigh: c.epsilon_high };
  const advantages = c.logprobs.map((row, b) => row.map(() => c.advantages[b]!));
  const weights = weightsOf(c.loss_type, c.logprobs, c.max_completion_length);
  const policy = lossAndGradient(
    (logprobs, oldLogprobs, advantages) =>
      policyLossPerToken(
        { logprobs: logprobs!, oldLogprobs: oldLogprobs!, advantages: advantages! },
        clip,
      ),
    [c.logprobs, c.old_logprobs, advantages],
    weights,
  );
  const ref = c.ref_logprobs ?? c.logprobs;
  const penalty = (kind: KlEstimator) =>
    lossAndGradient(
      (logprobs, refLogprobs) => klLossPerToken(kind, { logprobs: logprobs!, refLogprobs: refLogprobs! }),
      [c.logprobs, ref],
      weights,
    );
  const { loss } = penalty("k3");
  // TRL's use_bias_correction_kl multiplies k3 by the ratio: where that is 1, the gradient becomes that of k2
  const { gradient } = penalty(c.bias_correction ? "k2" : "k3");
  const { clipFraction } = policyStatistics(
    { logprobs: c.logprobs.flat(), oldLogprobs: c.old_logprobs.flat(), advantages: advantages.flat() },
    clip,
  );
  const estimates = c.logprobs.flatMap((row, b) => [...klEstimates("k3", row, ref[b]!)]);
  return {
    loss: [policy.loss + c.beta * loss, c.loss],
    gradient: [policy.gradient.map((row, b) => row.map((x, t) => x + c.beta * gradient[b]![t]!)), c.gradient],
    clip_fraction: [clipFraction, c.clip_fraction],
    ...(c.kl === null ? {} : { kl: [sum(estimates) / estimates.length, c.kl] as const }),
  };
}

interface GrpoIterationCase extends GrpoCase {
  scale_rewards: "group" | "none";
  temperature: number;
  groups: readonly number[];
  rewards: readonly number[];
  advantages: readonly number[];
  ids: Rows;
  /** [R][V] of each response */
  old_logits: readonly Rows[];
  logits: readonly Rows[];
  ref_logits: readonly Rows[] | null;
  gradient: readonly Rows[];
}

/** From the rewards of an iteration to the gradient of its loss with respect to the logits. */
export function checkGrpoIteration(c: GrpoIterationCase): Compared {
  const perResponse = c.scale_rewards === "none"
    ? groupMeanBaseline(c.rewards, c.groups)
    : grpo(c.rewards, c.groups, { epsilon: 1e-4 });
  const advantages = c.ids.map((row, b) => row.map(() => perResponse[b]!));
  const weights = weightsOf(c.loss_type, c.ids, c.max_completion_length);
  const ref = c.ref_logits && logprobsOf(c.ref_logits, c.ids, c.temperature);
  const options = {
    clipLow: c.epsilon,
    clipHigh: c.epsilon_high,
    temperature: c.temperature,
    beta: c.beta,
    klEstimator: "k3",
  } as const;
  const { outputs, cotangents } = evaluateVjp(
    (logits, ids, oldLogprobs, advantages, refLogprobs) =>
      policyObjectivePerToken({
        logits: logits!,
        ids: ids!,
        oldLogprobs: oldLogprobs!,
        advantages: advantages!,
        ...(refLogprobs ? { refLogprobs: [refLogprobs] } : {}),
      }, options).loss,
    [
      f64([weights.length, c.logits[0]![0]!.length], c.logits.flat(2)),
      i64([weights.length], c.ids.flat()),
      vector(logprobsOf(c.old_logits, c.ids, c.temperature)),
      vector(advantages),
      ...(ref ? [vector(ref)] : []),
    ],
    { wrt: [0], cotangents: [f64([weights.length], weights)] },
  );
  const gradient = split(Array.from(cotangents[0]!.data, Number), c.ids, c.logits[0]![0]!.length);
  return {
    advantages: [perResponse, c.advantages],
    loss: [sum(weights.map((weight, i) => weight * Number(outputs[0]!.data[i]))), c.loss],
    gradient: [gradient, c.gradient.map((rows) => rows.flat())],
  };
}

/** Returns log softmax(logits/τ)[id] of every token. */
function logprobsOf(logits: readonly Rows[], ids: Rows, temperature: number): number[][] {
  return ids.map((row, b) =>
    row.map((id, t) => {
      const scaled = logits[b]![t]!.map((x) => x / temperature);
      return scaled[id]! - Math.log(sum(scaled.map(Math.exp)));
    })
  );
}

interface Pair<T> {
  chosen: T;
  rejected: T;
}

interface DpoCase {
  beta: number;
  label_smoothing: number;
  logprobs: Pair<readonly number[]>;
  ref_logprobs: Pair<readonly number[]>;
  loss: number;
  gradient: Pair<number>;
  rewards: Pair<number>;
}

/** Compares one case of its file. */
export function checkDpoLoss(c: DpoCase): Compared {
  const sums = (pair: Pair<readonly number[]>) => ({
    chosen: sum(pair.chosen),
    rejected: sum(pair.rejected),
  });
  const result = dpoLoss(sums(c.logprobs), sums(c.ref_logprobs), {
    beta: c.beta,
    labelSmoothing: c.label_smoothing,
  });
  return {
    loss: [result.loss, c.loss],
    gradient: [[result.slope, -result.slope], [c.gradient.chosen, c.gradient.rejected]],
    rewards: [[result.chosenReward, result.rejectedReward], [c.rewards.chosen, c.rewards.rejected]],
  };
}
