/** One update of the critic. @module */
import { valueStatistics } from "@/lib/model/rl/value_statistics.ts";
import { valueProgram } from "@/lib/model/train/ppo_programs.ts";
import {
  type Learner,
  type Minibatch,
  minibatchGradients,
  optimizerStep,
  tokensOf,
  tokenWeights,
  type TrainedMicroBatch,
  type UpdateResult,
} from "./minibatch.ts";
import type { Params } from "./params.ts";
import type { Trajectory } from "./trajectory.ts";

/** Makes one AdamW step of the critic on a minibatch. The loss is the mean over its tokens; loss_aggregation has no effect on it. */
export function criticStep(minibatch: Minibatch, critic: Learner, lr: number, params: Params): UpdateResult {
  const { trajectories } = minibatch, program = valueProgram(params.clip_range_value);
  const weight = tokenWeights(trajectories, "token_mean");
  const inputs = { tokens: { ...valueInputs(trajectories), weight } };
  const backward = minibatchGradients(minibatch, critic, program, inputs, params);
  return "nonFinite" in backward ? backward : finishCritic(minibatch, critic, backward.passes, lr, params);
}

/** Returns the inputs of the value loss other than its weights. */
export function valueInputs(trajectories: readonly Trajectory[]) {
  const targets = trajectories.map((trajectory) => trajectory.critic!);
  return {
    offset: targets.map(({ offsets }) => offsets),
    oldValue: targets.map(({ oldValues }) => oldValues),
    return: targets.map(({ returns }) => returns),
  };
}

/** Makes the optimizer step of the critic after its gradients were added. Returns the metrics of the update. */
export function finishCritic(
  minibatch: Minibatch,
  critic: Learner,
  passes: readonly TrainedMicroBatch[],
  lr: number,
  params: Params,
): UpdateResult {
  const step = optimizerStep(critic, lr, minibatch, params);
  if ("nonFinite" in step) return step;
  const { loss, clipFraction } = valueStatistics({
    values: tokensOf(passes, "value"),
    oldValues: tokensOf(passes, "oldValue"),
    returns: tokensOf(passes, "return"),
  }, { clipRange: params.clip_range_value });
  return { metrics: { value_loss: loss, value_clip_fraction: clipFraction, critic_grad_norm: step.norm } };
}
