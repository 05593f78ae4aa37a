/** The work of calibration and preflight, for the estimate of a run's time. @module */
import { readPrompts } from "@/lib/data/contracts/prompts.ts";
import { sampledLength, times, type WorkContext, type Workload } from "@/lib/data/contracts/workload.ts";
import type { Params } from "./params.ts";

/** Returns the tokens that are sampled and scored; none without prompts and an SFT model. */
export function rewardWorkload({ params, inputs, counts, expected }: WorkContext<Params>): Workload {
  const members = params.combine === "soup" ? 1 : counts.members ?? 1;
  const rewardModels = members + 1;
  const promptsOf = (port: string) => inputs[port] === undefined ? 0 : readPrompts(inputs[port]).rows.length;
  const prompts = promptsOf("prompts");
  if (counts.sft === undefined || prompts === 0) return { expected: { rewardModels } };
  const hasChecker = params.checker !== "" || counts.checker !== undefined;
  const calibration = Math.min(prompts, params.calibration_prompts) * params.samples_per_prompt * 2; // and the base
  const checked = hasChecker
    ? Math.min(promptsOf("eval_prompts") || prompts, params.preflight_prompts) * params.preflight_samples
    : 0;
  const length = sampledLength(expected, params.max_new_tokens), prompt = expected.promptTokens ?? 0;
  return {
    sampled: times(length, calibration + checked),
    scored: times([prompt + length[0], prompt + length[1]], (calibration + checked) * rewardModels),
    expected: { rewardModels },
  };
}
