/**
 * Generates responses with continuous batching: a fixed number of slots, each holding one sequence; a slot whose
 * response has ended takes the next prompt. A response depends on the weights, its prompt, the sampling settings, the
 * seed and its id, and on nothing else: not on batch size, order, slots or threads.
 * @module
 */
import { mergedModel } from "@/lib/model/models/lora/merge.ts";
import type { Model } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { type Key, makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { runSync, type Work } from "@/lib/model/train/event_loop.ts";
import type { StepOutput } from "./decode_graph.ts";
import { Decoder } from "./decoder.ts";
import { checkSampling, draw, mostProbable, type Sampling } from "./sampler.ts";

/** A prompt to generate a response to. */
export interface GenerationPrompt {
  /** the random numbers of the response follow from it and the seed: unique among the prompts of a seed */
  readonly id: string;
  readonly ids: Int32Array;
  /** given first tokens of the response; generation continues after them as if they had been drawn */
  readonly begun?: Int32Array;
}

/** What to generate, and how. */
export interface GenerationOptions {
  readonly prompts: readonly GenerationPrompt[];
  readonly sampling: Sampling;
  readonly maxNewTokens: number;
  /** any of these ends a response and is part of it; empty: only the length limit ends it */
  readonly eosIds: readonly number[];
  readonly seed: number;
  /** sequences that are generated at the same time */
  readonly batchSize: number;
  /** also return log-probabilities at temperature 1, without top-k and top-p, where sampling differs from that */
  readonly logprobsT1?: boolean;
  /** called with every token that is not an end token; true ends the response after it, with the finish reason `stop` */
  readonly onToken?: ((prompt: number, id: number) => boolean) | undefined;
  /** called with the logits [V] of every step before its token is chosen; the array is reused */
  readonly onLogits?: (prompt: number, position: number, logits: Float32Array) => void;
  /** called after every step with the number of tokens so far; may throw to stop */
  readonly onStep?: ((tokens: number, finished: number) => void) | undefined;
}

/** A response; log-probabilities of given tokens (`begun`) are 0. */
export interface Generated {
  /** with the end token where one was emitted */
  readonly responseIds: Int32Array;
  /** nats, under the distribution that was sampled from */
  readonly logprobs: Float32Array;
  /** nats, at temperature 1 without top-k and top-p; undefined where equal to `logprobs` or not requested */
  readonly logprobsT1: Float32Array | undefined;
  readonly finishReason: "eos" | "length" | "stop";
}

interface Slot {
  readonly prompt: number;
  readonly key: Key;
  readonly ids: number[];
  readonly logprobs: number[];
  readonly logprobsT1: number[];
  next: number; // id of the next input token
  position: number; // position of that token in the sequence
}

/** Outputs of a step by name, [rows,V] each. */
type StepOutputs = Readonly<Record<string, Float32Array>>;

/** Generates from one set of weights; compiled at first use. The weights must not change while it is in use. */
export class Generator {
  readonly #decoder: Decoder;

  readonly model: Model;
  readonly parameters: ParameterVector;

  /** Merges an adapter into its base, so that a step is no slower than without one. */
  constructor(model: Model, parameters: ParameterVector) {
    ({ model: this.model, parameters: this.parameters } = mergedModel({ model, parameters }));
    this.#decoder = new Decoder(this.model, this.parameters);
  }

  /**
   * Returns one response per prompt, in the order of the prompts.
   * @throws {UsageError} if a prompt is empty or leaves no room for `maxNewTokens`
   */
  generate(options: GenerationOptions): Generated[] {
    return runSync(this.steps(options));
  }

  /** Does `generate()` as work that yields after every decoding step. One call at a time: they share the cache. */
  *steps(options: GenerationOptions): Work<Generated[]> {
    const { prompts, sampling, maxNewTokens, eosIds } = options;
    checkSampling(sampling);
    this.#checkPrompts(prompts, maxNewTokens);
    const results: Generated[] = new Array(prompts.length);
    this.#prepare(options);
    const decoder = this.#decoder, { temperature } = sampling;
    const slots: Slot[] = [];
    const ends = new Set(eosIds);
    let next = 0, tokens = 0, finished = 0;
    const most = decoder.slots, refillAt = Math.max(1, most >> 3);
    while (next < prompts.length || slots.length > 0) {
      // Prefilling a few prompts at a time costs more than leaving a few slots idle.
      const free = most - slots.length, waiting = prompts.length - next;
      if (waiting > 0 && (free >= refillAt || free >= waiting || slots.length === 0)) {
        const taken = prompts.slice(next, next + free).map((prompt, i) => ({
          ids: joined(prompt),
          slot: slots.length + i,
        }));
        decoder.prefill(taken);
        for (const { ids } of taken) {
          const { id, begun } = prompts[next]!;
          slots.push(newSlot(next++, ids, makeKey(options.seed, "rollout", id), begun));
        }
      }
      const step = decoder.run(slots.map(({ next, position }) => ({ next, position, temperature })));
      for (let row = slots.length - 1; row >= 0; row--) { // from the end: a slot that moves to this row was processed already
        const slot = slots[row]!;
        this.#choose(slot, row, step, options);
        tokens++;
        const reason = ends.has(slot.next)
          ? "eos"
          : options.onToken?.(slot.prompt, slot.next)
          ? "stop"
          : slot.ids.length >= maxNewTokens
          ? "length"
          : undefined;
        if (reason === undefined) continue;
        results[slot.prompt] = resultOf(slot, reason, sampling);
        finished++;
        const last = slots.pop()!;
        if (last !== slot) {
          decoder.move(slots.length, row, last.position);
          slots[row] = last;
        }
      }
      options.onStep?.(tokens, finished);
      yield;
    }
    return results;
  }

  #checkPrompts(prompts: readonly GenerationPrompt[], maxNewTokens: number): void {
    const room = this.model.contextLength - maxNewTokens;
    const problems = prompts.flatMap(({ id, ids }) =>
      ids.length < 1 || ids.length > room ? [`"${id}" has ${ids.length}`] : []
    );
    if (problems.length > 0) {
      throw new UsageError(
        `A prompt must have 1 to ${room} tokens, as max_new_tokens is ${maxNewTokens} and the model's context has ` +
          `${this.model.contextLength}: ${listed(problems)}`,
      );
    }
  }

  /** Prepares the decoder for the requested outputs and length. */
  #prepare(
    { prompts, sampling, maxNewTokens, batchSize, logprobsT1, onLogits }: GenerationOptions,
  ): void {
    const outputs: StepOutput[] = ["probabilities"];
    if (logprobsT1 && sampling.temperature !== 1 && sampling.temperature !== 0) {
      outputs.push("probabilities_t1");
    }
    if (onLogits) outputs.push("logits");
    const longest = prompts.reduce((most, { ids }) => Math.max(most, ids.length), 1) + maxNewTokens;
    const slots = Math.max(1, Math.min(batchSize, prompts.length));
    this.#decoder.prepare({ slots, tokens: longest, outputs });
  }

  #choose(slot: Slot, row: number, outputs: StepOutputs, { sampling, onLogits }: GenerationOptions): void {
    const size = this.model.vocabSize, from = row * size;
    const probabilities = outputs.probabilities!.subarray(from, from + size);
    const at = slot.ids.length;
    onLogits?.(slot.prompt, at, outputs.logits!.subarray(from, from + size));
    const chosen = sampling.temperature === 0
      ? mostProbable(probabilities)
      : draw(probabilities, uniform(slot.key, at), sampling);
    slot.ids.push(chosen.id);
    slot.logprobs.push(chosen.logprob);
    const probabilitiesT1 = outputs.probabilities_t1?.subarray(from, from + size) ?? probabilities;
    slot.logprobsT1.push(Math.log(probabilitiesT1[chosen.id]!));
    slot.next = chosen.id;
    slot.position++;
  }
}

function newSlot(prompt: number, ids: Int32Array, key: Key, begun: Iterable<number> = []): Slot {
  const given = [...begun], none = given.map(() => 0);
  return {
    prompt,
    key,
    ids: given,
    logprobs: none,
    logprobsT1: [...none],
    next: ids.at(-1)!,
    position: ids.length - 1,
  };
}

/** Returns the ids of the prompt, then those of the response that are given. */
function joined({ ids, begun }: GenerationPrompt): Int32Array {
  return begun === undefined ? ids : Int32Array.from([...ids, ...begun]);
}

function resultOf(
  slot: Slot,
  finishReason: Generated["finishReason"],
  { temperature, topK = 0, topP = 1 }: Sampling,
): Generated {
  const plain = (temperature === 1 || temperature === 0) && topK === 0 && topP === 1;
  return {
    responseIds: Int32Array.from(slot.ids),
    logprobs: Float32Array.from(slot.logprobs),
    logprobsT1: plain ? undefined : Float32Array.from(slot.logprobsT1),
    finishReason,
  };
}
