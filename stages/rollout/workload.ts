/** The work of an iteration's sampling, for the estimate of a run's time. @module */
import { readPrompts } from "@/lib/data/contracts/prompts.ts";
import { sampledLength, times, type WorkContext, type Workload } from "@/lib/data/contracts/workload.ts";
import type { Params } from "./params.ts";

/** Returns the tokens of an iteration; undefined if the prompts do not exist yet. */
export function rolloutWorkload({ params, inputs, expected }: WorkContext<Params>): Workload | undefined {
  if (inputs.prompts === undefined) return undefined;
  const { rows } = readPrompts(inputs.prompts);
  const prompt = rows.reduce((sum, { promptIds }) => sum + promptIds.length, 0) / rows.length;
  const rollouts = (params.prompts_per_iteration || rows.length) * params.samples_per_prompt;
  const length = sampledLength(expected, params.max_new_tokens);
  return {
    sampled: times(length, rollouts),
    scored: times([prompt, prompt], rollouts),
    expected: { rollouts, rolloutTokens: [prompt + length[0], prompt + length[1]] },
  };
}
