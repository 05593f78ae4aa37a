/** The work of an evaluation, for the estimate of a run's time. @module */
import { readPrompts } from "@/lib/data/contracts/prompts.ts";
import { readTokens } from "@/lib/data/contracts/tokens.ts";
import { sampledLength, times, type WorkContext, type Workload } from "@/lib/data/contracts/workload.ts";
import type { Params } from "./params.ts";

/** Returns the tokens that are sampled and scored; undefined if the prompts do not exist yet. */
export function evalWorkload(
  { params, inputs, counts, expected }: WorkContext<Params>,
): Workload | undefined {
  if (inputs.prompts === undefined) return undefined;
  const { rows } = readPrompts(inputs.prompts), models = counts.models ?? 1;
  const prompt = rows.reduce((sum, { promptIds }) => sum + promptIds.length, 0) / rows.length;
  const samples = [...new Set(params.modes)].reduce(
    (sum, mode) => sum + (mode === "greedy" ? 1 : params.samples_per_prompt),
    0,
  );
  const responses = models * samples * rows.length;
  const length = sampledLength(expected, params.max_new_tokens);
  const scorers = (counts.reward === undefined ? 0 : expected.rewardModels ?? 2) +
    (counts.sft ?? 0) + (counts.base ?? 0);
  const held = inputs.validation === undefined
    ? 0
    : readTokens(inputs.validation).rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  const [least, most] = times([prompt + length[0], prompt + length[1]], responses * scorers);
  return {
    sampled: times(length, responses),
    scored: [least + models * held, most + models * held],
  };
}
