/**
 * Decoding on a device: one graph from token ids to the next ids, with weights and cache on the device. Every slot runs in
 * each step, empty ones at position 0 of their own cache, so a sequence gives equal bits in any slot and with any neighbours;
 * another number of slots may choose other kernels. Per step and slot an id, a position and a random number go to the device,
 * and an id with its log-probabilities comes back; with top-k or top-p the candidates do. Where each sequence has its own
 * settings, all probabilities come back and the token is drawn on the processor.
 * @module
 */
import {
  argMax,
  div,
  drawTokens,
  log,
  reduceSum,
  softmax,
  takeAlongLast,
  topK,
  type Value,
} from "@/lib/compute/autodiff/mod.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import type { PreparedRun } from "@/lib/compute/ort/session.ts";
import { float32Of, type Tensor, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { uniform } from "@/lib/compute/random/uniform.ts";
import { type HostTensor, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import type { Model } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { CompiledGraph } from "@/lib/model/train/compiled_graph.ts";
import { cached } from "@/lib/model/train/graph_cache.ts";
import { modelSignature } from "@/lib/model/train/network.ts";
import { zerosAt } from "@/lib/model/train/zeros.ts";
import { placedCopy, type PlacedVector } from "@/lib/model/train/placed_vector.ts";
import { cacheCapacity } from "./cache_capacity.ts";
import { traceStep } from "./decode_graph.ts";
import type { DecodedSequence, Decoder, DecoderNeeds, NextToken } from "./decoder.ts";
import { type DeviceCache, prefillDevice } from "./device_prefill.ts";
import { paddedHeadDim } from "./key_value_cache.ts";
import type { Prefill } from "./prefill.ts";
import { draw, drawAmong, isRestricted, mostProbable, type Sampling } from "./sampler.ts";

/** Candidates of top-p without top-k; a row whose candidates have less than p is drawn on the processor. */
const MOST_CANDIDATES = 1024;

/** What the graph of a step gives. */
interface Outputs {
  /** who chooses the token, and from what: the graph draws it or takes the most probable one, or the processor draws it */
  readonly choice: "drawn" | "greedy" | "candidates" | "probabilities";
  /** number of candidates */
  readonly candidates: number;
  readonly logprobT1: boolean;
  readonly logits: boolean;
}

/** Decodes on a device. */
export class DeviceDecoder implements Decoder {
  readonly #weights: PlacedVector;
  #cache: { readonly tensors: DeviceCache; readonly slots: number; readonly capacity: number } | undefined;
  #step: { readonly key: string; readonly step: Step } | undefined;

  constructor(readonly model: Model, readonly parameters: ParameterVector, readonly place: Place) {
    this.#weights = placedCopy(place, parameters);
  }

  prepare({ slots, tokens, sampling, logprobsT1, logits }: DecoderNeeds): number {
    const capacity = cacheCapacity(this.model, tokens);
    if (this.#cache?.slots !== slots || this.#cache.capacity !== capacity) {
      this.#release();
      this.#cache = { tensors: emptyCache(this.model, this.place, slots, capacity), slots, capacity };
    }
    const choice = choiceOf(sampling, this.model.vocabSize), temperature = sampling?.temperature;
    const outputs: Outputs = {
      choice,
      candidates: choice === "candidates" ? candidatesOf(sampling!, this.model.vocabSize) : 0,
      logprobT1: logprobsT1 && temperature !== 1 && temperature !== 0,
      logits,
    };
    const key = JSON.stringify(outputs);
    if (this.#step?.key !== key) {
      this.#step = { key, step: new Step(this.model, this.#weights, this.#cache, outputs) };
    }
    return slots;
  }

  prefill(prompts: readonly Prefill[]): void {
    prefillDevice(this.model, this.#weights, prompts, this.#cache!.tensors);
  }

  step(sequences: readonly DecodedSequence[]): readonly NextToken[] {
    return this.#step!.step.run(sequences);
  }

  release(ended: DecodedSequence): number {
    return ended.row;
  }

  #release(): void {
    for (const tensor of Object.values(this.#cache?.tensors ?? {})) tensor[Symbol.dispose]();
    this.#cache = undefined;
    this.#step = undefined;
  }
}

function emptyCache(model: Model, place: Place, slots: number, capacity: number): DeviceCache {
  const tensors = model.blocks.flatMap(({ attention: { kvHeads, headDim } }, layer) =>
    ["key", "value"].map((name) =>
      [`${name}.${layer}`, zerosAt(place, [slots, kvHeads, capacity, paddedHeadDim(headDim)])] as const
    )
  );
  return Object.fromEntries(tensors);
}

function choiceOf(sampling: Sampling | undefined, vocabSize: number): Outputs["choice"] {
  if (sampling === undefined) return "probabilities";
  if (sampling.temperature === 0) return "greedy";
  return isRestricted(sampling, vocabSize) ? "candidates" : "drawn";
}

function candidatesOf({ topK = 0 }: Sampling, vocabSize: number): number {
  return Math.min(vocabSize, topK > 0 ? topK : MOST_CANDIDATES);
}

/** A decoding step with all inputs and outputs bound. */
class Step {
  readonly #temperature: Float32Array;
  readonly #run: PreparedRun;
  readonly #ids: BigInt64Array;
  readonly #position: BigInt64Array;
  readonly #lastIndex: Int32Array;
  readonly #u: Float32Array;
  readonly #results: Readonly<Record<string, HostTensor>>;
  /** [R,V], on the device; for rows whose candidates are not enough */
  readonly #probabilities: Tensor | undefined;
  readonly #place: Place;
  readonly #vocabSize: number;
  readonly #outputs: Outputs;

  constructor(
    model: Model,
    weights: PlacedVector,
    cache: { readonly tensors: DeviceCache; readonly slots: number; readonly capacity: number },
    outputs: Outputs,
  ) {
    const { place } = weights, { slots, capacity, tensors } = cache;
    this.#place = place;
    this.#outputs = outputs;
    this.#vocabSize = model.vocabSize;
    const { graph, results } = stepGraph(model, place, { rows: slots, capacity }, outputs);
    const ids = TensorValue.zeros("i64", [slots]), position = TensorValue.zeros("i64", [slots, 1]);
    const lastIndex = TensorValue.zeros("i32", [slots]), u = TensorValue.zeros("f32", [slots, 1]);
    const total = TensorValue.zeros("i32", [1]), temperature = TensorValue.zeros("f32", [slots, 1]);
    total.data[0] = capacity as never; // the same for every batch, so that a row's bits do not depend on the others
    this.#ids = ids.data as BigInt64Array;
    this.#position = position.data as BigInt64Array;
    this.#lastIndex = lastIndex.data as Int32Array;
    this.#u = float32Of(u);
    this.#temperature = float32Of(temperature).fill(1);
    const { probabilities, ...figures } = results;
    const here = Object.entries(figures).map(([name, { dtype, shape }]) =>
      [name, TensorValue.zeros(dtype, shape)] as const
    );
    this.#results = Object.fromEntries(here);
    this.#probabilities = probabilities && place.empty("f32", probabilities.shape);
    const named = [...graph.inputNames].filter((name) =>
      weights.host.has(name) || weights.host.backbone?.has(name)
    );
    this.#run = graph.prepare({
      ids,
      position,
      last_index: lastIndex,
      total,
      temperature,
      u,
      ...tensors,
      ...Object.fromEntries(named.map((name) => [name, weights.value(name)])),
    }, {
      ...Object.fromEntries(here),
      ...(this.#probabilities ? { probabilities: this.#probabilities } : {}),
      ...Object.fromEntries(Object.entries(tensors).map(([name, value]) => [`next_${name}`, value])),
    });
  }

  run(sequences: readonly DecodedSequence[]): readonly NextToken[] {
    this.#ids.fill(0n);
    this.#position.fill(0n);
    this.#lastIndex.fill(0);
    const numbers = sequences.map(({ row, key, drawn, next, position, sampling: { temperature } }) => {
      this.#ids[row] = BigInt(next);
      this.#position[row] = BigInt(position);
      this.#lastIndex[row] = position;
      this.#temperature[row] = temperature === 0 ? 1 : temperature; // the most probable token is the same
      return this.#u[row] = temperature === 0 ? 0 : uniform(key, drawn);
    });
    this.#run.run();
    return sequences.map(({ row, sampling }, i): NextToken => {
      const next = this.#next(row, numbers[i]!, sampling);
      return this.#outputs.logits ? { ...next, logits: this.#row("logits", row) } : next;
    });
  }

  #next(row: number, u: number, sampling: Sampling): NextToken {
    const { choice } = this.#outputs;
    if (choice === "candidates") return this.#amongCandidates(row, u, sampling);
    return choice === "probabilities" ? this.#amongAll(row, u, sampling) : this.#chosen(row);
  }

  /** Returns a row of a result. */
  #row(name: string, row: number): Float32Array {
    const { data, shape } = this.#results[name]!, width = sizeOf(shape) / shape[0]!;
    return (data as Float32Array).subarray(row * width, (row + 1) * width);
  }

  #chosen(row: number): NextToken {
    const logprob = this.#row("logprob", row)[0]!;
    const logprobT1 = this.#outputs.logprobT1 ? this.#row("logprob_t1", row)[0]! : logprob;
    return { id: Number(this.#results.id!.data[row]), logprob, logprobT1 };
  }

  #amongAll(row: number, u: number, sampling: Sampling): NextToken {
    const probabilities = this.#row("distribution", row), { temperature } = sampling;
    const { id, logprob } = temperature === 0
      ? mostProbable(probabilities)
      : draw(probabilities, u, sampling);
    return {
      id,
      logprob,
      logprobT1: Math.log(
        this.#outputs.logprobT1 ? this.#row("distribution_t1", row)[id]! : probabilities[id]!,
      ),
    };
  }

  #amongCandidates(row: number, u: number, sampling: Sampling): NextToken {
    const { candidates, logprobT1 } = this.#outputs, probabilities = this.#row("candidates", row);
    const ids = Array.from(
      (this.#results.candidate_ids!.data as BigInt64Array).subarray(row * candidates, (row + 1) * candidates),
      Number,
    );
    const unrestricted = this.#row(logprobT1 ? "candidates_t1" : "candidates", row);
    const chosen = drawAmong({ ids, probabilities, total: this.#row("mass", row)[0]! }, u, sampling);
    if (chosen) {
      return { ...chosen, logprobT1: Math.log(unrestricted[ids.indexOf(chosen.id)]!) };
    }
    const size = this.#vocabSize, all = this.#place.download(this.#probabilities!).data as Float32Array;
    const whole = all.subarray(row * size, (row + 1) * size), drawn = draw(whole, u, sampling);
    return { ...drawn, logprobT1: logprobAtOne(whole, drawn.id, sampling.temperature) };
  }
}

/** Returns log p of a token at temperature 1 from a row at temperature T: there p is proportional to pᵀ. */
function logprobAtOne(probabilities: Float32Array, id: number, temperature: number): number {
  const sum = probabilities.reduce((total, p) => total + p ** temperature, 0);
  return temperature * Math.log(probabilities[id]!) - Math.log(sum);
}

interface StepGraph {
  readonly graph: CompiledGraph;
  /** results beside the cache, by name */
  readonly results: Readonly<Record<string, Value>>;
}

/** Returns the graph of a step; policies of one architecture share it, because weights are inputs. */
function stepGraph(
  model: Model,
  place: Place,
  size: { readonly rows: number; readonly capacity: number },
  outputs: Outputs,
): StepGraph {
  const key = `${place.key}${modelSignature(model)}/decode/${size.rows}x${size.capacity}/${
    JSON.stringify(outputs)
  }`;
  return cached(key, () => {
    const { trace, inputs, weights, logits, temperature, cache } = traceStep(model, size);
    const p = softmax(outputs.choice === "greedy" ? logits : div(logits, temperature)), p1 = softmax(logits);
    const u = trace.input("u", "f32", [size.rows, 1]), results: Record<string, Value> = {};
    if (outputs.choice === "probabilities") {
      results.distribution = p;
      if (outputs.logprobT1) results.distribution_t1 = p1;
    } else if (outputs.choice === "candidates") {
      const { values, ids } = topK(p, outputs.candidates);
      Object.assign(results, { candidates: values, candidate_ids: ids, probabilities: p });
      results.mass = reduceSum(p, [-1], { keepDims: true });
      if (outputs.logprobT1) results.candidates_t1 = takeAlongLast(p1, ids);
    } else {
      const id = results.id = outputs.choice === "greedy" ? argMax(p) : drawTokens(p, u);
      results.logprob = log(takeAlongLast(p, id));
      if (outputs.logprobT1) results.logprob_t1 = log(takeAlongLast(p1, id));
    }
    if (outputs.logits) results.logits = logits;
    const bounds = {
      name: "decode",
      inputs: [...inputs, ...weights.values(), u],
      outputs: { ...results, ...cache },
    };
    return { graph: new CompiledGraph(bounds, { place }), results };
  });
}
