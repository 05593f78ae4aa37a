/**
 * Samples responses to prompts: the one sampler of `rollout`, `eval` and `build-reward`.
 * In: a generator and prompts. Out: rows of `rollouts@1`.
 * @module
 */
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { exactSteps } from "./exact.ts";
import type { GenerationOptions } from "./generation_options.ts";
import type { Generator } from "./generator.ts";

/** Which responses are sampled, and how. */
export interface SampleOptions
  extends Pick<GenerationOptions, "sampling" | "maxNewTokens" | "eosIds" | "seed" | "batchSize" | "onStep"> {
  /** responses have the id `<name>/<prompt id>/<sample>`; random numbers follow from this id and the seed */
  readonly name: string;
  /** samples of a prompt that occurs several times are numbered consecutively */
  readonly prompts: readonly PromptRow[];
  readonly samplesPerPrompt: number;
  /** returns a new watcher for stop texts, or undefined without any; see `GenerationOptions.onToken` */
  readonly stops?: () => GenerationOptions["onToken"];
  /** the policy's training network: tokens are drawn from its probabilities, see `exactSteps()` */
  readonly exact?: Network | undefined;
}

/**
 * Returns `samplesPerPrompt` responses to every prompt, prompt by prompt. `onStep` is called after every decoding step and may
 * throw to stop.
 * @throws {UsageError} if a prompt leaves no room for a response
 */
export async function sampleResponses(
  generator: Generator,
  { name, prompts, samplesPerPrompt, sampling, stops, exact, ...common }: SampleOptions,
): Promise<RolloutRow[]> {
  const counts = new Map<string, number>();
  const requests = prompts.flatMap((prompt) =>
    Array.from({ length: samplesPerPrompt }, () => {
      const sample = counts.get(prompt.id) ?? 0;
      counts.set(prompt.id, sample + 1);
      return { prompt, sample, id: `${name}/${prompt.id}/${sample}` };
    })
  );
  const options = { ...common, prompts: requests.map(({ id, prompt }) => ({ id, ids: prompt.promptIds })) };
  const responses = await runYielding(
    exact
      ? exactSteps(generator, exact, { ...options, temperature: sampling.temperature, stops })
      : generator.steps({ ...options, sampling, logprobsT1: true, onToken: stops?.() }),
  );
  return requests.map(({ id, prompt, sample }, i): RolloutRow => {
    const { responseIds, logprobs, logprobsT1 = null, finishReason } = responses[i]!;
    const { id: promptId, promptIds, meta } = prompt;
    return { id, promptId, sample, promptIds, responseIds, logprobs, logprobsT1, finishReason, meta };
  });
}
