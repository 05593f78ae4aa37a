/**
 * Runs prompts through the blocks and writes their keys and values to the cache. Weights are graph inputs here, so that
 * the compiled graphs work for every policy of a run. A prompt is padded to a length that follows from its own length alone, so
 * its bits do not depend on the other prompts of the batch.
 * @module
 */
import { lower, Trace, type Value } from "@/lib/compute/autodiff/mod.ts";
import { causalAttention } from "@/lib/model/models/causal_attention.ts";
import type { Block, Model } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { encodeModel } from "@/lib/compute/onnx/encode.ts";
import { Session } from "@/lib/compute/ort/session.ts";
import { float32Of, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { embed } from "@/lib/model/train/embedding.ts";
import { weightInputs } from "@/lib/model/train/compiled_graph.ts";
import { cached } from "@/lib/model/train/graph_cache.ts";
import { modelSignature } from "@/lib/model/train/network.ts";
import type { KeyValueCache } from "./key_value_cache.ts";

/** A prompt and the slot that it is written to. */
export interface Prefill {
  readonly ids: Int32Array;
  readonly slot: number;
}

/** Most tokens of one prefill batch. */
const BUDGET = 4096;

/** Returns the padded length of a prefix: multiples of 16, then of 64. Never 1: a matrix of one row uses another kernel. */
function paddedLength(length: number): number {
  const step = length <= 128 ? 16 : 64;
  return Math.ceil(length / step) * step;
}

/** Values of a prefill: the block's result, and the rotated keys and the values of its tokens. */
interface PrefillTrace {
  readonly inputs: readonly Value[];
  readonly y: Value;
  /** [B, kvHeads, T, D] */
  readonly key: Value;
  readonly value: Value;
}

/** Traces a block over prompts; inputs: x and the weights w.*. */
export function tracePrefill(model: Model, block: Block, rows: number, length: number): PrefillTrace {
  const trace = new Trace(), x = trace.input("x", "f32", [rows * length, model.hiddenSize]);
  const weights = weightInputs(trace, block.parameters);
  let captured: { key: Value; value: Value } | undefined;
  const seen = (key: Value, value: Value) => void (captured = { key, value });
  const y = model.applyBlock(block, weights, x, causalAttention(trace, rows, length, { seen }));
  return { inputs: [x, ...Object.values(weights)], y, ...captured! };
}

function prefillGraph(model: Model, block: Block, rows: number, length: number): Session {
  return cached(`${modelSignature(model)}/prefill/${block.kind}/${rows}x${length}`, () => {
    const { inputs, y, key, value } = tracePrefill(model, block, rows, length);
    return new Session(encodeModel(lower({ name: "prefill", inputs, outputs: { y, key, value } })));
  });
}

/**
 * Writes all tokens but the last of every prompt to the cache; the last one is the first input of decoding, which gives the first
 * logits.
 */
export function prefill(
  model: Model,
  parameters: ParameterVector,
  prompts: readonly Prefill[],
  cache: KeyValueCache,
): void {
  for (const { members, length } of prefillBatches(prompts)) {
    prefillBatch(model, parameters, members, length, cache);
  }
}

/** Groups prompts by their padded length into batches; prompts of one token need no prefill. */
export function* prefillBatches(
  prompts: readonly Prefill[],
): Generator<{ readonly members: readonly Prefill[]; readonly length: number }> {
  const groups = new Map<number, Prefill[]>();
  for (const prompt of prompts) {
    if (prompt.ids.length < 2) continue;
    const length = paddedLength(prompt.ids.length - 1);
    groups.set(length, [...groups.get(length) ?? [], prompt]);
  }
  for (const [length, members] of groups) {
    const most = Math.max(1, Math.floor(BUDGET / length));
    for (let start = 0; start < members.length; start += most) {
      yield { members: members.slice(start, start + most), length };
    }
  }
}

function prefillBatch(
  model: Model,
  parameters: ParameterVector,
  members: readonly Prefill[],
  length: number,
  cache: KeyValueCache,
): void {
  const rows = roundRows(members.length);
  const ids = new Int32Array(rows * length);
  members.forEach(({ ids: prompt }, row) => ids.set(prompt.subarray(0, -1), row * length));
  const shape = [rows * length, model.hiddenSize];
  let x = TensorValue.zeros("f32", shape), y = TensorValue.zeros("f32", shape);
  embed(model.embeddings, parameters, { ids, rows, length }, float32Of(x));
  model.blocks.forEach((block, layer) => {
    const { kvHeads, headDim } = block.attention;
    const key = TensorValue.zeros("f32", [rows, kvHeads, length, headDim]);
    const value = TensorValue.zeros("f32", [rows, kvHeads, length, headDim]);
    const weights = Object.fromEntries(
      Object.entries(block.parameters).map(([local, { name, shape }]) =>
        [`w.${local}`, new TensorValue(hostTensor("f32", shape, parameters.view(name)))] as const
      ),
    );
    prefillGraph(model, block, rows, length).run({ x, ...weights }, { y, key, value });
    members.forEach(({ ids: prompt, slot }, row) =>
      cache.write(layer, slot, prompt.length - 1, {
        key: float32Of(key),
        value: float32Of(value),
        row,
        length,
        headDim,
      })
    );
    [x, y] = [y, x];
  });
}

/** Rounds a batch size up, so that few graphs are compiled: powers of two, and one and a half times them. */
export function roundRows(rows: number): number {
  let size = 1;
  while (size < rows) size = size % 3 === 0 ? size / 3 * 4 : size === 1 ? 2 : size === 2 ? 3 : size * 3 / 2;
  return size;
}
