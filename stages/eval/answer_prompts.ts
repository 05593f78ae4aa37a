/**
 * Answers of one model in one decoding mode. An answer's random numbers follow from the evaluation seed and its id,
 * and the id does not name the model: models that are compared share their random numbers.
 * @module
 */
import type { DecodingMode } from "@/lib/contracts/evals.ts";
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import type { Generator } from "@/lib/generate/generator.ts";
import type { Sampling } from "@/lib/generate/sampler.ts";
import { stopWatch } from "@/lib/text/stop_strings.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import type { Params } from "./params.ts";

/** Batches that are generated in one go; between goes a stop is heard. Does not change any answer. */
const BATCHES_PER_GO = 16;

/** What an evaluation fixes for one model and mode. */
export interface AnswerOptions {
  readonly mode: DecodingMode;
  readonly seed: number;
  /** ids that end an answer of this model */
  readonly eosIds: readonly number[];
  /** turns ids into the text in which `stop` is looked for */
  readonly tokenizer: Pick<Tokenizer, "decode">;
  readonly params:
    & Pick<Params, "temperature" | "top_k" | "top_p" | "max_new_tokens">
    & Pick<Params, "batch_size" | "samples_per_prompt" | "stop">;
  /** awaited between goes; may throw to stop */
  readonly pause?: () => Promise<void>;
}

/**
 * `samples_per_prompt` answers to every prompt (greedy: one), prompt by prompt.
 * @throws {UsageError} if a prompt leaves no room for an answer
 */
export async function answerPrompts(
  generator: Generator,
  prompts: readonly PromptRow[],
  { mode, seed, eosIds, tokenizer, params, pause }: AnswerOptions,
): Promise<RolloutRow[]> {
  const count = mode === "greedy" ? 1 : params.samples_per_prompt;
  const sampling: Sampling = mode === "greedy"
    ? { temperature: 0 }
    : { temperature: params.temperature, topK: params.top_k, topP: params.top_p };
  const asked = prompts.flatMap((prompt) =>
    Array.from({ length: count }, (_, sample) => ({ prompt, sample, id: `eval/${prompt.id}/${sample}` }))
  );
  const rows: RolloutRow[] = [];
  const step = BATCHES_PER_GO * params.batch_size;
  for (let start = 0; start < asked.length; start += step) {
    const group = asked.slice(start, start + step);
    const stop = stopWatch(tokenizer, params.stop);
    const responses = generator.generate({
      prompts: group.map(({ id, prompt }) => ({ id, ids: prompt.promptIds })),
      sampling,
      maxNewTokens: params.max_new_tokens,
      eosIds,
      seed,
      batchSize: params.batch_size,
      untempered: true,
      ...(stop ? { onToken: stop } : {}),
    });
    group.forEach(({ prompt, sample, id }, i) => {
      const { logprobsT1, ...response } = responses[i]!;
      const { id: promptId, promptIds, meta } = prompt;
      rows.push({ id, promptId, sample, promptIds, meta, ...response, logprobsT1: logprobsT1 ?? null });
    });
    await pause?.();
  }
  return rows;
}
