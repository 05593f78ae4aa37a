/**
 * Prefill on a device: prompts go through the blocks, and a graph per block writes their keys and values to the slots of the
 * cache. As on the processor a prompt is padded to a length that follows from its own length alone.
 * @module
 */
import { pad, replaceRows, slice, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import { type Tensor, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { i64 } from "@/lib/compute/tensor/tensor.ts";
import type { Block, Model } from "@/lib/model/models/model.ts";
import { CompiledGraph } from "@/lib/model/train/compiled_graph.ts";
import { cached } from "@/lib/model/train/graph_cache.ts";
import { modelSignature } from "@/lib/model/train/network.ts";
import type { PlacedVector } from "@/lib/model/train/placed_vector.ts";
import { deviceRows } from "@/lib/model/train/device_rows.ts";
import { workspaceTensor } from "@/lib/model/train/workspace.ts";
import { type Prefill, prefillBatches, roundRows, tracePrefill } from "./prefill.ts";

/** The cache of a device: `key.<layer>` and `value.<layer>`, [slots, kvHeads, capacity, headDim] each. */
export type DeviceCache = Readonly<Record<string, Tensor>>;

/** Writes all tokens but the last of every prompt to the cache. */
export function prefillDevice(
  model: Model,
  weights: PlacedVector,
  prompts: readonly Prefill[],
  cache: DeviceCache,
): void {
  for (const { members, length } of prefillBatches(prompts)) {
    const rows = roundRows(members.length);
    // Rows that fill up the batch repeat the first prompt: they write equal values to its slot.
    const all = Array.from({ length: rows }, (_, row) => members[row] ?? members[0]!);
    prefillBatch(model, weights, all, length, cache);
  }
}

function prefillBatch(
  model: Model,
  weights: PlacedVector,
  members: readonly Prefill[],
  length: number,
  cache: DeviceCache,
): void {
  const { place } = weights, rows = members.length, ids = new Int32Array(rows * length);
  members.forEach(({ ids: prompt }, row) => ids.set(prompt.subarray(0, -1), row * length));
  const shape = [rows * length, model.hiddenSize];
  let x = workspaceTensor(place, "prefill0", shape), y = workspaceTensor(place, "prefill1", shape);
  deviceRows(place).embed(model.embeddings, weights, { ids, rows, length }, x);
  const slots = new TensorValue(i64([rows], members.map(({ slot }) => slot)));
  model.blocks.forEach((block, layer) => {
    const key = cache[`key.${layer}`]!, value = cache[`value.${layer}`]!;
    const own = Object.entries(block.parameters).map(([local, { name }]) =>
      [`w.${local}`, weights.value(name)] as const
    );
    prefillGraph(model, block, { rows, length, cache: key, place })
      .prepare({ x, ...Object.fromEntries(own), slots, key, value }, { y, next_key: key, next_value: value })
      .run();
    [x, y] = [y, x];
  });
}

function prefillGraph(
  model: Model,
  block: Block,
  { rows, length, cache, place }: {
    readonly rows: number;
    readonly length: number;
    readonly cache: Tensor;
    readonly place: Place;
  },
): CompiledGraph {
  const [slots, heads, capacity, wide] = cache.shape as [number, number, number, number];
  const key = `${place.key}${
    modelSignature(model)
  }/prefill/${block.kind}/${rows}x${length}/${slots}x${capacity}`;
  return cached(key, () => {
    const { inputs, y, key, value } = tracePrefill(model, block, rows, length), { trace } = y;
    const at = trace.input("slots", "i64", [rows]);
    const [pastKey, pastValue] = ["key", "value"].map((name) =>
      trace.input(name, "f32", [slots, heads, capacity, wide])
    );
    const updated = (past: Value, next: Value) => {
      const inside = slice(next, 2, 0, Math.min(length, capacity)), [, , tokens, headDim] = inside.shape;
      const whole = pad(pad(inside, 2, 0, capacity - tokens!), 3, 0, wide - headDim!);
      return replaceRows(past, at, whole);
    };
    return new CompiledGraph({
      name: "prefill",
      inputs: [...inputs, at, pastKey!, pastValue!],
      outputs: { y, next_key: updated(pastKey!, key), next_value: updated(pastValue!, value) },
    }, { place });
  });
}
