/** One update of the critic. @module */
import { valueStatistics } from "@/lib/rl/value_statistics.ts";
import { valueProgram } from "@/lib/train/ppo_programs.ts";
import {
  addGradients,
  discardGradients,
  firstNonFinite,
  type Learner,
  type Minibatch,
  optimizerStep,
  tokensOf,
  tokenWeights,
  type UpdateResult,
} from "./minibatch.ts";
import type { Params } from "./params.ts";

/** Moves the critic's values towards the returns of a minibatch. The loss is the mean over its tokens, whatever loss_aggregation is. */
export function criticStep(minibatch: Minibatch, critic: Learner, lr: number, params: Params): UpdateResult {
  const { trajectories } = minibatch, { clip_range_value: clipRange } = params;
  const sequences = trajectories.map(({ sequence }) => sequence);
  const targets = trajectories.map((trajectory) => trajectory.critic!);
  const passes = addGradients(critic, valueProgram(clipRange), sequences, {
    tokens: {
      offset: targets.map(({ offsets }) => offsets),
      oldValue: targets.map(({ oldValues }) => oldValues),
      return: targets.map(({ returns }) => returns),
      weight: tokenWeights(sequences, "token_mean"),
    },
  }, params);
  const nonFinite = firstNonFinite(minibatch, passes);
  if (nonFinite) {
    discardGradients(critic.optimizer);
    return { nonFinite };
  }
  const step = optimizerStep(critic, lr, minibatch, params);
  if ("nonFinite" in step) return step;
  const { loss, clipFraction } = valueStatistics({
    values: tokensOf(passes, "value"),
    oldValues: tokensOf(passes, "oldValue"),
    returns: tokensOf(passes, "return"),
  }, { clipRange });
  return { metrics: { value_loss: loss, value_clip_fraction: clipFraction, critic_grad_norm: step.norm } };
}
