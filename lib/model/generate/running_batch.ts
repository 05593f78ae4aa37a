/**
 * Sequences that decode together, each with its own sampling settings, while others join and leave between steps. What a sequence
 * draws depends on the weights, its ids, settings and key, and on nothing else: not on the sequences beside it.
 * @module
 */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { mergedModel } from "@/lib/model/models/lora/merge.ts";
import type { LoadedModel } from "@/lib/model/models/checkpoint.ts";
import { defaultPlace } from "@/lib/compute/ort/default_place.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import type { Key } from "@/lib/compute/random/uniform.ts";
import type { DecodedSequence, Decoder } from "./decoder.ts";
import { decoderAt } from "./decoder_at.ts";
import type { Sampling } from "./sampler.ts";

/** A sequence that decodes. */
export interface RunningSequence {
  /** the prompt; not empty, and no longer than the batch's tokens */
  readonly ids: Int32Array;
  readonly sampling: Sampling;
  /** stream of its random numbers; token t is drawn with number t */
  readonly key: Key;
  /** whether it must leave before the next step */
  readonly isCancelled: () => boolean;
  /** Takes the next token. @param logits [V] at temperature 1; reused @returns whether the sequence has ended */
  readonly accept: (id: number, logits: Float32Array) => boolean;
}

interface Row extends DecodedSequence {
  readonly sequence: RunningSequence;
}

/** Most prompt tokens that join before one step, except for a single prompt: the others wait meanwhile. */
const JOIN_TOKENS = 2048;

/** A batch of running sequences on one model. */
export class RunningBatch {
  readonly #decoder: Decoder;
  readonly #rows: Row[] = [];
  readonly #waiting: RunningSequence[] = [];
  /** slots of the cache without a sequence */
  readonly #free: number[];

  /**
   * Compiles the model.
   * @param size.tokens longest sequence: prompt and response
   * @param options.place default: that of the process
   */
  constructor(
    loaded: LoadedModel,
    readonly size: { readonly slots: number; readonly tokens: number },
    options: { readonly place?: Place } = {},
  ) {
    this.#decoder = decoderAt(options.place ?? defaultPlace(), mergedModel(loaded));
    this.#decoder.prepare({ ...size, sampling: undefined, logprobsT1: false, logits: true });
    this.#free = Array.from({ length: size.slots }, (_, slot) => slot);
  }

  /** Number of sequences in slots. */
  get running(): number {
    return this.#rows.length;
  }

  /** Number of sequences that wait for a slot. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Adds a sequence behind those that wait. */
  add(sequence: RunningSequence): void {
    this.#waiting.push(sequence);
  }

  /** Removes cancelled sequences, gives free slots to waiting ones, and draws a token for each. */
  step(): void {
    for (let row = this.#rows.length - 1; row >= 0; row--) {
      if (this.#rows[row]!.sequence.isCancelled()) this.#remove(row);
    }
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      if (this.#waiting[i]!.isCancelled()) this.#waiting.splice(i, 1);
    }
    this.#join();
    if (this.#rows.length === 0) return;
    const choices = this.#decoder.step(this.#rows);
    for (let at = this.#rows.length - 1; at >= 0; at--) { // from the end: a row that moves to this place is done already
      const row = this.#rows[at]!, { id, logits } = choices[at]!;
      row.drawn++;
      row.next = id;
      row.position++;
      if (row.sequence.accept(id, logits!)) this.#remove(at);
    }
  }

  /** Fills free slots. Prefilling a few prompts at a time costs more than leaving a few slots idle. */
  #join(): void {
    const free = this.#free.length, waiting = this.#waiting.length;
    const refillAt = Math.max(1, this.size.slots >> 3);
    if (waiting === 0 || free === 0) return;
    if (free < refillAt && free < waiting && this.#rows.length > 0) return;
    let count = 0, tokens = 0;
    while (count < free && count < waiting) {
      tokens += this.#waiting[count]!.ids.length;
      if (count > 0 && tokens > JOIN_TOKENS) break;
      count++;
    }
    const joining = this.#waiting.splice(0, count).map((sequence): Row => {
      const { ids, sampling, key } = sequence, row = this.#free.shift()!;
      return { sequence, sampling, key, row, drawn: 0, next: ids.at(-1)!, position: ids.length - 1 };
    });
    this.#decoder.prefill(joining.map(({ sequence: { ids }, row }) => ({ ids, slot: row })));
    append(this.#rows, joining);
  }

  #remove(at: number): void {
    const ended = this.#rows[at]!, last = this.#rows.pop()!;
    if (last !== ended) this.#rows[at] = last;
    this.#free.unshift(this.#decoder.release(ended, last));
  }
}
