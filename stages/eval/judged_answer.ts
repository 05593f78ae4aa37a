/** An answer with everything that is known of it. @module */
import type { DecodingMode } from "@/lib/contracts/evals.ts";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import type { SampleRow } from "@/lib/contracts/samples.ts";

/** One answer, judged. */
export interface JudgedAnswer {
  readonly model: string;
  readonly mode: DecodingMode;
  readonly row: RolloutRow;
  /** without special tokens */
  readonly response: string;
  /** what a mean over answers is taken of, by metric */
  readonly figures: Readonly<Record<string, number>>;
  /** nats per token under the base, and how many tokens; undefined where not measured or nothing is left to measure */
  readonly fluency: { readonly mean: number; readonly tokens: number } | undefined;
}

/**
 * Rows of `samples@1`: the answers to the first `keptPrompts` prompts (0: all), prompt by prompt, so that what the models
 * say to one prompt stands together.
 * @param promptIds of all prompts, in their order
 * @param promptText text of an answer's prompt
 */
export function sampleRows(
  answers: readonly JudgedAnswer[],
  promptIds: readonly string[],
  options: { readonly keptPrompts: number; readonly promptText: (row: RolloutRow) => string },
): SampleRow[] {
  const kept = options.keptPrompts === 0 ? promptIds : promptIds.slice(0, options.keptPrompts);
  const byPrompt = Map.groupBy(answers, ({ row }) => row.promptId);
  return kept.flatMap((promptId) =>
    (byPrompt.get(promptId) ?? []).map(({ model, mode, row, response, figures, fluency }): SampleRow => ({
      model,
      mode,
      promptId,
      prompt: options.promptText(row),
      response,
      finishReason: row.finishReason,
      scores: JSON.stringify({ ...figures, ...(fluency ? { base_nll: fluency.mean } : {}) }),
    }))
  );
}
