/**
 * Decoding on the processor: probabilities come from one graph whose weights are constants, and tokens are drawn here. The
 * slots in use are the first ones, so that a step costs as much as it has sequences.
 * @module
 */
import type { PreparedRun, Session } from "@/lib/compute/ort/session.ts";
import { float32Of, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { uniform } from "@/lib/compute/random/uniform.ts";
import { hostTensor } from "@/lib/compute/tensor/tensor.ts";
import type { Model } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { cacheCapacity } from "./cache_capacity.ts";
import { decodeSession, readsPosition, type StepOutput } from "./decode_graph.ts";
import type { DecodedSequence, Decoder, NextToken } from "./decoder.ts";
import type { GenerationOptions } from "./generation_options.ts";
import { KeyValueCache } from "./key_value_cache.ts";
import { type Prefill, prefill } from "./prefill.ts";
import { draw, mostProbable } from "./sampler.ts";

/** A decoding step of one batch size, with all inputs and outputs bound. */
interface Step {
  readonly run: PreparedRun;
  readonly ids: BigInt64Array;
  readonly position: BigInt64Array;
  readonly lastIndex: Int32Array;
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

/** Decodes on the processor. */
export class HostDecoder implements Decoder {
  readonly #total = TensorValue.zeros("i32", [1]);
  readonly #temperature = TensorValue.zeros("f32", []);
  #session: { readonly key: string; readonly session: Session; readonly capacity: number } | undefined;
  #cache: KeyValueCache | undefined;
  #steps = new Map<number, Step>();
  #outputs: readonly StepOutput[] = [];

  constructor(readonly model: Model, readonly parameters: ParameterVector) {}

  prepare(options: GenerationOptions): number {
    const { prompts, sampling, batchSize, logprobsT1, onLogits } = options;
    const outputs: StepOutput[] = ["probabilities"];
    if (logprobsT1 && sampling.temperature !== 1 && sampling.temperature !== 0) {
      outputs.push("probabilities_t1");
    }
    if (onLogits) outputs.push("logits");
    const capacity = cacheCapacity(this.model, options), key = outputs.join();
    if (this.#session?.key !== key || this.#session.capacity < capacity) {
      const session = decodeSession(this.model, this.parameters, { capacity, outputs });
      this.#session = { key, session, capacity };
      this.#cache = undefined;
    }
    const slots = Math.max(1, Math.min(batchSize, prompts.length));
    if (!this.#cache || this.#cache.slots < slots) {
      this.#cache = new KeyValueCache(this.model, slots, this.#session.capacity);
      this.#steps = new Map();
    }
    float32Of(this.#temperature)[0] = sampling.temperature === 0 ? 1 : sampling.temperature;
    this.#outputs = outputs;
    return this.#cache.slots;
  }

  prefill(prompts: readonly Prefill[]): void {
    prefill(this.model, this.parameters, prompts, this.#cache!);
  }

  step(sequences: readonly DecodedSequence[], options: GenerationOptions): readonly NextToken[] {
    const step = this.#run(sequences);
    return sequences.map((sequence, row) => this.#choose(sequence, row, step, options));
  }

  release(ended: DecodedSequence, last: DecodedSequence): number {
    const freed = last.row;
    if (last !== ended) {
      this.#cache!.move(last.row, ended.row, last.position);
      last.row = ended.row;
    }
    return freed;
  }

  #step(rows: number): Step {
    let step = this.#steps.get(rows);
    if (step) return step;
    const ids = TensorValue.zeros("i64", [rows]), position = TensorValue.zeros("i64", [rows, 1]);
    const lastIndex = TensorValue.zeros("i32", [rows]);
    const cache = this.#cache!.bindings(rows);
    const chosen = Object.fromEntries(
      this.#outputs.map((name) =>
        [name, new TensorValue(hostTensor("f32", [rows, this.model.vocabSize]))] as const
      ),
    );
    const updated = Object.fromEntries(Object.entries(cache).map(([name, value]) => [`next_${name}`, value]));
    const inputs = {
      ids,
      ...(readsPosition(this.model) ? { position } : {}),
      last_index: lastIndex,
      total: this.#total,
      temperature: this.#temperature,
      ...cache,
    };
    step = {
      run: this.#session!.session.prepare(inputs, { ...chosen, ...updated }),
      ids: ids.data as BigInt64Array,
      position: position.data as BigInt64Array,
      lastIndex: lastIndex.data as Int32Array,
      outputs: Object.fromEntries(Object.entries(chosen).map(([name, value]) => [name, float32Of(value)])),
    };
    this.#steps.set(rows, step);
    return step;
  }

  #run(sequences: readonly DecodedSequence[]): Step {
    const step = this.#step(sequences.length);
    let longest = 0;
    sequences.forEach(({ next, position }, row) => {
      step.ids[row] = BigInt(next);
      step.position[row] = BigInt(position);
      step.lastIndex[row] = position;
      longest = Math.max(longest, position + 1);
    });
    (this.#total.data as Int32Array)[0] = longest;
    step.run.run();
    return step;
  }

  #choose(
    sequence: DecodedSequence,
    row: number,
    step: Step,
    { sampling, onLogits }: GenerationOptions,
  ): NextToken {
    const size = this.model.vocabSize, from = row * size;
    const probabilities = step.outputs.probabilities!.subarray(from, from + size);
    const at = sequence.ids.length;
    onLogits?.(sequence.prompt, at, step.outputs.logits!.subarray(from, from + size));
    const { id, logprob } = sampling.temperature === 0
      ? mostProbable(probabilities)
      : draw(probabilities, uniform(sequence.key, at), sampling);
    const probabilitiesT1 = step.outputs.probabilities_t1?.subarray(from, from + size) ?? probabilities;
    return { id, logprob, logprobT1: Math.log(probabilitiesT1[id]!) };
  }
}
