/** One update of the critic. @module */
import { valueStatistics } from "@/lib/rl/value_statistics.ts";
import { valueProgram } from "@/lib/train/ppo_programs.ts";
import type { CriticFigures } from "./advantages.ts";
import { append, type Learner, type Minibatch, tokenWeights, trainingPasses } from "./minibatch.ts";
import type { Params } from "./params.ts";
import { type NonFinite, nonFiniteResult, stepOrSkip } from "./skips.ts";

/** Figures of the update, or why it was not made. */
export type StepResult =
  | { readonly figures: Readonly<Record<string, number>> }
  | { readonly skip: NonFinite };

/** Moves the critic towards the returns; figures are taken before the step. Its loss is the token mean, whatever the policy's is. */
export function criticStep(
  minibatch: Minibatch,
  critic: CriticFigures,
  learner: Learner,
  lr: number,
  params: Params,
): StepResult {
  const { network, optimizer } = learner, { clip_range_value: clipRange } = params;
  const of = (perRow: readonly Float64Array[]) => minibatch.members.map((i) => perRow[i]!);
  const perRow = {
    offset: of(critic.offsets),
    oldValue: of(critic.values),
    return: of(critic.returns),
    weight: tokenWeights(minibatch, "token_mean"),
  };
  const passes = trainingPasses(minibatch, valueProgram(clipRange), { perRow }, params);
  const results = passes.map(({ pass }) => network.run(pass));
  const skip = nonFiniteResult(minibatch, passes, results);
  if (skip) {
    optimizer.gradients.data.fill(0);
    return { skip };
  }
  const seen = { values: [] as number[], oldValues: [] as number[], returns: [] as number[] };
  results.forEach((result, i) => {
    const { tokens } = passes[i]!.pass;
    append(seen.values, result.tokens.value!);
    append(seen.oldValues, tokens.oldValue!);
    append(seen.returns, tokens.return!);
  });
  const { loss, clipFraction } = valueStatistics(seen, { clipRange });
  const step = stepOrSkip(learner, lr, minibatch);
  if ("skip" in step) return step;
  return { figures: { value_loss: loss, value_clip_fraction: clipFraction, critic_grad_norm: step.norm } };
}
