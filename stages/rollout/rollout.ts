/** Answers of a policy to the prompts of a round. @module */
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import { exactSteps } from "@/lib/generate/exact.ts";
import type { Generated, GenerationPrompt, Generator } from "@/lib/generate/generator.ts";
import type { StopWatch } from "@/lib/text/stop_strings.ts";
import { runYielding } from "@/lib/train/event_loop.ts";
import { batchRows } from "@/lib/train/epoch_order.ts";
import type { Network } from "@/lib/train/network.ts";
import type { Params } from "./params.ts";

/** What is the round's own. */
export interface Round {
  readonly seed: number;
  readonly iteration: number;
  readonly eosIds: readonly number[];
  /** makes what ends answers by their text; none: nothing does */
  readonly stops?: () => StopWatch;
  /** the policy as it is trained, where answers are to be drawn from its own bits */
  readonly exact?: Network | undefined;
  /** called after every decoding step; may throw to stop */
  readonly onStep?: (tokens: number, finished: number) => void;
}

/** The prompts of a round: cut from shuffles laid end to end, so that each comes once per pass. */
export function promptsOfRound(
  prompts: readonly PromptRow[],
  { seed, iteration }: Round,
  rollouts: number,
): PromptRow[] {
  const count = rollouts === 0 ? prompts.length : rollouts;
  return batchRows(seed, prompts.length, count, iteration).map((row) => prompts[row]!);
}

/**
 * One row per prompt and sample. A response's random numbers follow from the seed, the round and its id.
 * @throws {UsageError} if a prompt leaves no room for an answer
 */
export async function rollOut(
  generator: Generator,
  prompts: readonly PromptRow[],
  params: Params,
  round: Round,
): Promise<RolloutRow[]> {
  const seen = new Map<string, number>(); // a prompt may come twice in a round that is longer than a pass
  const asked = promptsOfRound(prompts, round, params.prompts_per_iteration).flatMap((prompt) =>
    Array.from({ length: params.samples_per_prompt }, () => {
      const sample = seen.get(prompt.id) ?? 0;
      seen.set(prompt.id, sample + 1);
      return { prompt, sample, id: `${round.iteration}/${prompt.id}/${sample}` };
    })
  );
  const responses = await answersOf(
    generator,
    asked.map(({ id, prompt }) => ({ id, ids: prompt.promptIds })),
    params,
    round,
  );
  return asked.map(({ id, prompt, sample }, i): RolloutRow => ({
    id,
    promptId: prompt.id,
    sample,
    promptIds: prompt.promptIds,
    responseIds: responses[i]!.responseIds,
    logprobs: responses[i]!.logprobs,
    logprobsT1: responses[i]!.logprobsT1 ?? null,
    finishReason: responses[i]!.finishReason,
    meta: prompt.meta,
  }));
}

/** The answers, drawn by decoding, or exactly. */
function answersOf(
  generator: Generator,
  prompts: readonly GenerationPrompt[],
  { max_new_tokens, temperature, top_k, top_p, batch_size }: Params,
  { seed, eosIds, stops, exact, onStep }: Round,
): Promise<Generated[]> {
  const common = {
    prompts,
    maxNewTokens: max_new_tokens,
    eosIds,
    seed,
    batchSize: batch_size,
    ...(onStep ? { onStep } : {}),
  };
  if (exact) {
    return runYielding(exactSteps(generator, exact, { ...common, temperature, ...(stops ? { stops } : {}) }));
  }
  return runYielding(generator.steps({
    ...common,
    sampling: { temperature, topK: top_k, topP: top_p },
    untempered: true,
    ...(stops ? { onToken: stops() } : {}),
  }));
}
