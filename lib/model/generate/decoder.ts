/**
 * Decoding steps over a batch of sequences: the compiled graph, the key/value cache, and the buffers of every batch size.
 * Rows 0 … n − 1 of a step are slots 0 … n − 1 of the cache. Who is in which slot is known to the caller alone.
 * @module
 */
import type { Model } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { type PreparedRun, Session } from "@/lib/compute/ort/session.ts";
import { float32Of, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { decodeSession, readsPosition, type StepOutput } from "./decode_graph.ts";
import { KeyValueCache } from "./key_value_cache.ts";
import { prefill } from "./prefill.ts";

/** Size and outputs of a decoder. */
export interface DecoderSize {
  /** sequences that fit at the same time */
  readonly slots: number;
  /** tokens of the longest sequence: prompt and response */
  readonly tokens: number;
  readonly outputs: readonly StepOutput[];
}

/** The next input of a sequence. */
export interface StepInput {
  /** id of the token */
  readonly next: number;
  /** position of that token in the sequence */
  readonly position: number;
  /** divides the logits; 0 is treated as 1, for the most probable token is the same */
  readonly temperature: number;
}

/** A decoding step of one batch size, with all inputs and outputs bound. */
interface Step {
  readonly run: PreparedRun;
  readonly ids: BigInt64Array;
  readonly position: BigInt64Array;
  readonly lastIndex: Int32Array;
  readonly temperature: Float32Array;
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

/** Decodes with one set of weights; compiled at first use. The weights must not change while it is in use. */
export class Decoder {
  readonly #total = TensorValue.zeros("i32", [1]);
  #session: { readonly key: string; readonly session: Session; readonly capacity: number } | undefined;
  #cache: KeyValueCache | undefined;
  #steps = new Map<number, Step>();
  /** outputs of a step over all slots; a smaller step uses the first rows */
  #outputs: Readonly<Record<string, Float32Array<ArrayBuffer>>> = {};

  constructor(readonly model: Model, readonly parameters: ParameterVector) {}

  /** Number of slots; at least as many as `prepare()` was called for. */
  get slots(): number {
    return this.#cache!.slots;
  }

  /** Compiles the graph and makes the cache, unless those of an earlier call fit. The cache's content is lost. */
  prepare({ slots, tokens, outputs }: DecoderSize): void {
    const capacity = Math.min(this.model.contextLength, Math.ceil(tokens / 32) * 32);
    const key = outputs.join();
    if (this.#session?.key !== key || this.#session.capacity < capacity) {
      const session = decodeSession(this.model, this.parameters, { capacity, outputs });
      this.#session = { key, session, capacity };
      this.#cache = undefined;
    }
    if (this.#cache && this.#cache.slots >= slots) return;
    this.#cache = new KeyValueCache(this.model, slots, this.#session.capacity);
    const size = slots * this.model.vocabSize;
    this.#outputs = Object.fromEntries(outputs.map((name) => [name, new Float32Array(size)]));
    this.#steps = new Map();
  }

  /** Writes all tokens but the last of every prompt to its slot; the last one is the first input of `run()`. */
  prefill(prompts: readonly { readonly ids: Int32Array; readonly slot: number }[]): void {
    prefill(this.model, this.parameters, prompts, this.#cache!);
  }

  /** Copies the first `count` positions of slot `from` to slot `to`. */
  move(from: number, to: number, count: number): void {
    this.#cache!.move(from, to, count);
  }

  /** Runs one step over slots 0 … n − 1. @returns the outputs, [n,V] each; the arrays are reused */
  run(rows: readonly StepInput[]): Readonly<Record<string, Float32Array>> {
    const step = this.#step(rows.length);
    let longest = 0;
    rows.forEach(({ next, position, temperature }, row) => {
      step.ids[row] = BigInt(next);
      step.position[row] = BigInt(position);
      step.lastIndex[row] = position;
      step.temperature[row] = temperature === 0 ? 1 : temperature;
      longest = Math.max(longest, position + 1);
    });
    (this.#total.data as Int32Array)[0] = longest;
    step.run.run();
    return step.outputs;
  }

  #step(rows: number): Step {
    let step = this.#steps.get(rows);
    if (step) return step;
    const ids = TensorValue.zeros("i64", [rows]), position = TensorValue.zeros("i64", [rows, 1]);
    const lastIndex = TensorValue.zeros("i32", [rows]), temperature = TensorValue.zeros("f32", [rows, 1]);
    const cache = this.#cache!.bindings(rows), shape = [rows, this.model.vocabSize];
    const chosen = Object.fromEntries(
      Object.entries(this.#outputs).map(([name, all]) => {
        const data = all.subarray(0, rows * this.model.vocabSize);
        return [name, new TensorValue({ dtype: "f32", shape, data })] as const;
      }),
    );
    const updated = Object.fromEntries(Object.entries(cache).map(([name, value]) => [`next_${name}`, value]));
    const inputs = {
      ids,
      ...(readsPosition(this.model) ? { position } : {}),
      last_index: lastIndex,
      total: this.#total,
      temperature,
      ...cache,
    };
    step = {
      run: this.#session!.session.prepare(inputs, { ...chosen, ...updated }),
      ids: ids.data as BigInt64Array,
      position: position.data as BigInt64Array,
      lastIndex: lastIndex.data as Int32Array,
      temperature: float32Of(temperature),
      outputs: Object.fromEntries(Object.entries(chosen).map(([name, value]) => [name, float32Of(value)])),
    };
    this.#steps.set(rows, step);
    return step;
  }
}
