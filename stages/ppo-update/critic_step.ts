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
  type UpdateResult,
} from "./minibatch.ts";
import type { Params } from "./params.ts";

/** Makes one AdamW step of the critic on a minibatch. The loss is the mean over its tokens; loss_aggregation has no effect on it. */
export function criticStep(minibatch: Minibatch, critic: Learner, lr: number, params: Params): UpdateResult {
  const { trajectories } = minibatch, { clip_range_value: clipRange } = params;
  const targets = trajectories.map((trajectory) => trajectory.critic!);
  const inputs = {
    tokens: {
      offset: targets.map(({ offsets }) => offsets),
      oldValue: targets.map(({ oldValues }) => oldValues),
      return: targets.map(({ returns }) => returns),
      weight: tokenWeights(trajectories, "token_mean"),
    },
  };
  const backward = minibatchGradients(minibatch, critic, valueProgram(clipRange), inputs, params);
  if ("nonFinite" in backward) return backward;
  const step = optimizerStep(critic, lr, minibatch, params);
  if ("nonFinite" in step) return step;
  const { loss, clipFraction } = valueStatistics({
    values: tokensOf(backward.passes, "value"),
    oldValues: tokensOf(backward.passes, "oldValue"),
    returns: tokensOf(backward.passes, "return"),
  }, { clipRange });
  return { metrics: { value_loss: loss, value_clip_fraction: clipFraction, critic_grad_norm: step.norm } };
}
