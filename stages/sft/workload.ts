/** The work of a training, for the estimate of a run's time. @module */
import { readTokens, supervisedTokens } from "@/lib/data/contracts/tokens.ts";
import { times, type WorkContext, type Workload } from "@/lib/data/contracts/workload.ts";
import type { Params } from "./params.ts";
import { plannedUpdates } from "./train.ts";

/** Returns the tokens of a training on demonstrations; undefined for pairs, or if the demonstrations do not exist yet. */
export function sftWorkload({ params, inputs, counts, expected }: WorkContext<Params>): Workload | undefined {
  const { tokens, validation } = inputs;
  if (params.objective !== "nll" || tokens === undefined) return undefined;
  const { rows } = readTokens(tokens);
  const all = rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0), perRow = all / rows.length;
  const used = Math.max(1, Math.floor(rows.length * params.subsample));
  const isMatched = (counts.match_updates ?? 0) > 0;
  if (isMatched && expected.policyUpdates === undefined) return undefined;
  const trainedRows = params.pack
    ? Math.ceil(all / (params.pack_length || perRow)) // without pack_length: as if blocks were as long as rows
    : used;
  const updates = isMatched ? expected.policyUpdates! : plannedUpdates(trainedRows, params);
  const perUpdate = params.batch_size * (params.pack && params.pack_length > 0 ? params.pack_length : perRow);
  const held = validation === undefined
    ? 0
    : readTokens(validation).rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  const hasTrials = params.lr === "auto" && counts.lr_of === undefined;
  const trials = hasTrials ? params.lr_values.length : 0;
  const { eval_every: every, early_stopping_patience: patience } = params;
  const period = every < 1 ? Math.max(1, Math.ceil(every * updates)) : every;
  const least = every > 0 && patience > 0 ? Math.min(updates, period * (patience + 1)) : updates;
  const evaluations = (made: number) => every === 0 ? 1 : Math.ceil(made / period);
  const tried = trials * Math.min(params.lr_trial_updates, updates);
  const response = rows.reduce((sum, row) => sum + supervisedTokens(row).length, 0) / rows.length;
  return {
    trained: times([tried + least, tried + updates], perUpdate),
    scored: times([trials + evaluations(least), trials + evaluations(updates)], held),
    expected: { responseTokens: response, promptTokens: perRow - response },
  };
}
