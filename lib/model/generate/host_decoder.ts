/**
 * Decoding on the processor: probabilities come from one graph whose weights are constants, and tokens are drawn here. The
 * slots in use are the first ones, so that a step costs as much as it has sequences.
 * @module
 */
import { type PreparedRun, Session } from "@/lib/compute/ort/session.ts";
import { float32Of, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { uniform } from "@/lib/compute/random/uniform.ts";
import type { Model } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { cacheCapacity } from "./cache_capacity.ts";
import { decodeSession, readsPosition, type StepOutput } from "./decode_graph.ts";
import type { DecodedSequence, Decoder, DecoderNeeds, NextToken } from "./decoder.ts";
import { KeyValueCache } from "./key_value_cache.ts";
import { type Prefill, prefill } from "./prefill.ts";
import { draw, mostProbable } from "./sampler.ts";

/** A decoding step of one batch size, with all inputs and outputs bound. */
interface Step {
  readonly run: PreparedRun;
  readonly ids: BigInt64Array;
  readonly position: BigInt64Array;
  readonly lastIndex: Int32Array;
  readonly temperature: Float32Array;
  readonly outputs: Readonly<Record<string, Float32Array>>;
}

/** Decodes on the processor. Sequence i of a step is in slot i. */
export class HostDecoder implements Decoder {
  readonly #total = TensorValue.zeros("i32", [1]);
  #session: { readonly key: string; readonly session: Session; readonly capacity: number } | undefined;
  #cache: KeyValueCache | undefined;
  #steps = new Map<number, Step>();
  /** outputs of a step over all slots; a smaller step uses the first rows */
  #outputs: Readonly<Record<string, Float32Array<ArrayBuffer>>> = {};

  constructor(readonly model: Model, readonly parameters: ParameterVector) {}

  prepare({ slots, tokens, sampling, logprobsT1, logits }: DecoderNeeds): number {
    const outputs: StepOutput[] = ["probabilities"];
    if (logprobsT1 && sampling?.temperature !== 1 && sampling?.temperature !== 0) {
      outputs.push("probabilities_t1");
    }
    if (logits) outputs.push("logits");
    const capacity = cacheCapacity(this.model, tokens), key = outputs.join();
    if (this.#session?.key !== key || this.#session.capacity < capacity) {
      const session = decodeSession(this.model, this.parameters, { capacity, outputs });
      this.#session = { key, session, capacity };
      this.#cache = undefined;
    }
    if (!this.#cache || this.#cache.slots < slots) {
      this.#cache = new KeyValueCache(this.model, slots, this.#session.capacity);
      const size = slots * this.model.vocabSize;
      this.#outputs = Object.fromEntries(outputs.map((name) => [name, new Float32Array(size)]));
      this.#steps = new Map();
    }
    return this.#cache.slots;
  }

  prefill(prompts: readonly Prefill[]): void {
    prefill(this.model, this.parameters, prompts, this.#cache!);
  }

  step(sequences: readonly DecodedSequence[]): readonly NextToken[] {
    const outputs = this.#run(sequences);
    return sequences.map((sequence, row) => this.#choose(sequence, row, outputs));
  }

  release(ended: DecodedSequence, last: DecodedSequence): number {
    const freed = last.row;
    if (last !== ended) {
      this.#cache!.move(last.row, ended.row, last.position);
      last.row = ended.row;
    }
    return freed;
  }

  #run(sequences: readonly DecodedSequence[]): Step["outputs"] {
    const step = this.#step(sequences.length);
    let longest = 0;
    sequences.forEach(({ next, position, sampling: { temperature } }, row) => {
      step.ids[row] = BigInt(next);
      step.position[row] = BigInt(position);
      step.lastIndex[row] = position;
      step.temperature[row] = temperature === 0 ? 1 : temperature; // the most probable token is the same
      longest = Math.max(longest, position + 1);
    });
    (this.#total.data as Int32Array)[0] = longest;
    step.run.run();
    return step.outputs;
  }

  #choose({ sampling, key, drawn }: DecodedSequence, row: number, outputs: Step["outputs"]): NextToken {
    const size = this.model.vocabSize;
    const rowOf = (name: StepOutput) => outputs[name]?.subarray(row * size, (row + 1) * size);
    const probabilities = rowOf("probabilities")!, logits = rowOf("logits");
    const { id, logprob } = sampling.temperature === 0
      ? mostProbable(probabilities)
      : draw(probabilities, uniform(key, drawn), sampling);
    const probabilitiesT1 = rowOf("probabilities_t1") ?? probabilities;
    return { id, logprob, logprobT1: Math.log(probabilitiesT1[id]!), ...(logits && { logits }) };
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
