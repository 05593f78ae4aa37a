/** Answers of one model, for the calibration and the preflight. @module */
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import { Generator } from "@/lib/generate/generator.ts";
import type { LoadedModel } from "@/lib/models/checkpoint.ts";

/** Batches that are generated in one go; between goes a stop is heard. Does not change any answer. */
const BATCHES_PER_GO = 16;

/** What is asked for. */
export interface AnswerRequest {
  /** answers are named `<name>/<prompt id>/<sample>`, which their random numbers follow from, with the seed */
  readonly name: string;
  readonly prompts: readonly PromptRow[];
  readonly samples: number;
  readonly maxNewTokens: number;
  readonly batchSize: number;
  readonly eosIds: readonly number[];
  readonly seed: number;
  /** awaited between goes; may throw to stop */
  readonly pause: () => Promise<void>;
}

/**
 * `samples` answers to every prompt at temperature 1, prompt by prompt.
 * @throws {UsageError} if a prompt leaves no room for an answer
 */
export async function sampleAnswers(
  { model, parameters }: LoadedModel,
  { name, prompts, samples, maxNewTokens, batchSize, eosIds, seed, pause }: AnswerRequest,
): Promise<RolloutRow[]> {
  const generator = new Generator(model, parameters);
  const asked = prompts.flatMap((prompt) =>
    Array.from({ length: samples }, (_, sample) => ({ prompt, sample, id: `${name}/${prompt.id}/${sample}` }))
  );
  const rows: RolloutRow[] = [], step = BATCHES_PER_GO * batchSize;
  for (let start = 0; start < asked.length; start += step) {
    const group = asked.slice(start, start + step);
    const responses = generator.generate({
      prompts: group.map(({ id, prompt }) => ({ id, ids: prompt.promptIds })),
      sampling: { temperature: 1 },
      maxNewTokens,
      eosIds,
      seed,
      batchSize,
    });
    group.forEach(({ prompt, sample, id }, i) => {
      const { responseIds, logprobs, finishReason } = responses[i]!;
      const { id: promptId, promptIds, meta } = prompt;
      rows.push({
        id,
        promptId,
        sample,
        promptIds,
        responseIds,
        logprobs,
        logprobsT1: null,
        finishReason,
        meta,
      });
    });
    await pause();
  }
  return rows;
}
