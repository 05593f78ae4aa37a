/**
 * Generates responses with continuous batching: a fixed number of slots, each holding one sequence; a slot whose
 * response has ended takes the next prompt. A response depends on the weights, its prompt, the sampling settings, the
 * seed and its id, and on nothing else: not on batch size, order, slots or threads.
 * @module
 */
import { mergedModel } from "@/lib/model/models/lora/merge.ts";
import type { Model } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { defaultPlace } from "@/lib/compute/ort/default_place.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { runSync, type Work } from "@/lib/model/train/event_loop.ts";
import type { DecodedSequence, Decoder, DecoderNeeds, NextToken } from "./decoder.ts";
import { decoderAt } from "./decoder_at.ts";
import type { Generated, GenerationOptions, GenerationPrompt } from "./generation_options.ts";
import { checkSampling, type Sampling } from "./sampler.ts";

/** A sequence that is generated. */
interface Slot extends DecodedSequence {
  /** index of its prompt */
  readonly prompt: number;
  readonly ids: number[];
  readonly logprobs: number[];
  readonly logprobsT1: number[];
}

/** Generates from one set of weights; compiled at first use. The weights must not change while it is in use. */
export class Generator {
  readonly #decoder: Decoder;

  readonly model: Model;
  readonly parameters: ParameterVector;

  /**
   * Merges an adapter into its base, so that a step is no slower than without one.
   * @param options.place default: that of the process
   */
  constructor(model: Model, parameters: ParameterVector, options: { readonly place?: Place } = {}) {
    ({ model: this.model, parameters: this.parameters } = mergedModel({ model, parameters }));
    this.#decoder = decoderAt(options.place ?? defaultPlace(), this);
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
    const decoder = this.#decoder, most = decoder.prepare(needsOf(options));
    const slots: Slot[] = [], free = Array.from({ length: most }, (_, row) => row);
    const ends = new Set(eosIds);
    let next = 0, tokens = 0, finished = 0;
    const refillAt = Math.max(1, most >> 3);
    while (next < prompts.length || slots.length > 0) {
      // Prefilling a few prompts at a time costs more than leaving a few slots idle.
      const waiting = prompts.length - next;
      if (waiting > 0 && (free.length >= refillAt || free.length >= waiting || slots.length === 0)) {
        const taken = prompts.slice(next, next + free.length).map((prompt) => ({
          ids: joined(prompt),
          slot: free.shift()!,
        }));
        decoder.prefill(taken);
        for (const { ids, slot } of taken) {
          const { id, begun } = prompts[next]!;
          const key = makeKey(options.seed, "rollout", id);
          slots.push(newSlot({ prompt: next++, sampling, key, row: slot }, ids, begun));
        }
      }
      const choices = decoder.step(slots);
      for (let i = slots.length - 1; i >= 0; i--) { // from the end: a slot that moves here was processed already
        const slot = slots[i]!, choice = choices[i]!;
        if (choice.logits) options.onLogits?.(slot.prompt, slot.ids.length, choice.logits);
        advance(slot, choice);
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
        if (last !== slot) slots[i] = last;
        free.unshift(decoder.release(slot, last));
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
}

/** Returns what a decoder needs for a generation. */
function needsOf(
  { prompts, sampling, maxNewTokens, batchSize, logprobsT1, onLogits }: GenerationOptions,
): DecoderNeeds {
  return {
    slots: Math.max(1, Math.min(batchSize, prompts.length)),
    tokens: prompts.reduce((most, { ids }) => Math.max(most, ids.length), 1) + maxNewTokens,
    sampling,
    logprobsT1: logprobsT1 === true,
    logits: onLogits !== undefined,
  };
}

/** Appends the chosen token, which is the next input. */
function advance(slot: Slot, { id, logprob, logprobT1 }: NextToken): void {
  slot.ids.push(id);
  slot.logprobs.push(logprob);
  slot.logprobsT1.push(logprobT1);
  slot.drawn++;
  slot.next = id;
  slot.position++;
}

function newSlot(
  own: Pick<Slot, "prompt" | "sampling" | "key" | "row">,
  ids: Int32Array,
  begun: Iterable<number> = [],
): Slot {
  const given = [...begun], none = given.map(() => 0);
  return {
    ...own,
    drawn: given.length,
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
