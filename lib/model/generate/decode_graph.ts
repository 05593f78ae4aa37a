/**
 * Builds one decoding step of the whole network as one graph: token ids in, probabilities of the next token out, keys and
 * values updated in place. Weights are constants, which ONNX Runtime repacks when the session is made: a step is then
 * up to twice as fast as with weights as inputs, and a row has the same bits in any batch, also alone.
 * @module
 */
import {
  add,
  div,
  gatherRows,
  groupQueryAttention,
  lower,
  mul,
  pad,
  reshape,
  rope,
  slice,
  softmax,
  Trace,
  type Value,
} from "@/lib/compute/autodiff/mod.ts";
import { type AttentionSpec, type BlockContext, type Model, parametersOf } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { ropeTables } from "@/lib/model/models/rope_frequencies.ts";
import { encodeModel } from "@/lib/compute/onnx/encode.ts";
import { Session } from "@/lib/compute/ort/session.ts";
import { TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { f32, hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { paddedHeadDim } from "./key_value_cache.ts";

/** Outputs of a step besides the next keys and values, [B,V] each. */
export type StepOutput = "probabilities" | "probabilities_t1" | "logits";

/** Returns whether a model uses token positions; the graph of one that does not has no input `position`. */
export function readsPosition({ blocks, embeddings }: Model): boolean {
  return blocks.some(({ attention }) => attention.rope !== null) ||
    embeddings.some(({ index }) => index === "position");
}

/** The trace of a step. */
export interface DecodeTrace {
  readonly trace: Trace;
  /** ids, position, last_index, total, temperature, key.<l> and value.<l> */
  readonly inputs: readonly Value[];
  /** parameters by name */
  readonly weights: ReadonlyMap<string, Value>;
  readonly logits: Value;
  readonly temperature: Value;
  /** next_key.<l>, next_value.<l> */
  readonly cache: Readonly<Record<string, Value>>;
}

/**
 * Traces a step of `rows` sequences. Inputs: ids i64[B], position i64[B,1] (see `readsPosition()`), last_index i32[B] (the
 * same: the row's length minus one), total i32[1] (the longest row of the batch), temperature f32[B,1], key.<l> and value.<l>.
 * @param options.capacity longest sequence: prompt and response
 */
export function traceStep(
  model: Model,
  { rows, capacity }: { readonly rows: number; readonly capacity: number },
): DecodeTrace {
  const trace = new Trace();
  const ids = trace.input("ids", "i64", [rows]);
  const position = trace.input("position", "i64", [rows, 1]);
  const lastIndex = trace.input("last_index", "i32", [rows]);
  const total = trace.input("total", "i32", [1]);
  const temperature = trace.input("temperature", "f32", [rows, 1]);
  const inputs = [ids, position, lastIndex, total, temperature];
  const weights = new Map<string, Value>();
  for (const { name, shape } of parametersOf(model)) weights.set(name, trace.input(name, "f32", shape));
  const part = (specs: Readonly<Record<string, { name: string }>>) =>
    Object.fromEntries(Object.entries(specs).map(([local, { name }]) => [local, weights.get(name)!]));

  let x: Value | undefined;
  for (const { parameter, index, factor } of model.embeddings) {
    const row = gatherRows(weights.get(parameter.name)!, index === "token" ? ids : reshape(position, [rows]));
    const scaled = factor === 1 ? row : mul(row, factor);
    x = x ? add(x, scaled) : scaled;
  }
  const cache: Record<string, Value> = {};
  model.blocks.forEach((block, layer) => {
    const { kvHeads, headDim } = block.attention;
    const shape = [rows, kvHeads, capacity, paddedHeadDim(headDim)];
    const [pastKey, pastValue] = [
      trace.input(`key.${layer}`, "f32", shape),
      trace.input(`value.${layer}`, "f32", shape),
    ];
    inputs.push(pastKey, pastValue);
    const context = cachedAttention(
      { position, lastIndex, total, pastKey, pastValue },
      capacity,
      (key, value) => {
        cache[`next_key.${layer}`] = key;
        cache[`next_value.${layer}`] = value;
      },
    );
    x = model.applyBlock(block, part(block.parameters), x!, context);
  });
  const head = part(model.head);
  return {
    trace,
    inputs,
    weights,
    logits: model.project(head, model.normalise(head, x!)),
    temperature,
    cache,
  };
}

/**
 * Compiles the graph of a step on the processor, for any number of rows; see `traceStep()`. Outputs: `outputs`,
 * next_key.<l>, next_value.<l>.
 */
export function decodeSession(
  model: Model,
  parameters: ParameterVector,
  { capacity, outputs }: { readonly capacity: number; readonly outputs: readonly StepOutput[] },
): Session {
  const rows = 2; // any number: shapes with it are declared as symbols below
  const { inputs, weights, logits, temperature, cache } = traceStep(model, { rows, capacity });
  const symbolic: Record<string, readonly (number | string)[]> = {
    ids: ["B"],
    position: ["B", 1],
    last_index: ["B"],
    temperature: ["B", 1],
  };
  model.blocks.forEach(({ attention: { kvHeads, headDim } }, layer) => {
    for (const name of ["key", "value", "next_key", "next_value"]) {
      symbolic[`${name}.${layer}`] = ["B", kvHeads, capacity, paddedHeadDim(headDim)];
    }
  });
  const values: Record<StepOutput, () => Value> = {
    probabilities: () => softmax(div(logits, temperature)),
    probabilities_t1: () => softmax(logits),
    logits: () => logits,
  };
  const results: Record<string, Value> = { ...cache };
  for (const name of outputs) {
    results[name] = values[name]();
    symbolic[name] = ["B", model.vocabSize];
  }
  const graph = lower({ name: "decode", inputs, weights: [...weights.values()], outputs: results, symbolic });
  const initializers = Object.fromEntries(
    graph.externals.map((
      { name, shape },
    ) => [name, new TensorValue(hostTensor("f32", shape, parameters.view(name)))]),
  );
  return new Session(encodeModel(graph), { initializers });
}

/** Returns attention of one new token per row over the cache. Heads are padded with zeros to the size that the kernel supports. */
function cachedAttention(
  cache: Readonly<Record<"position" | "lastIndex" | "total" | "pastKey" | "pastValue", Value>>,
  capacity: number,
  updated: (key: Value, value: Value) => void,
): BlockContext {
  return {
    attend(q: Value, k: Value, v: Value, spec: AttentionSpec): Value {
      const { trace } = q, rows = q.shape[0]!, { headDim } = spec, wide = paddedHeadDim(headDim);
      let withPositions = (x: Value) => x; // [B,n,1,D]
      if (spec.rope) {
        const tables = ropeTables(spec.rope, capacity), half = spec.rope.frequencies.length;
        const cos = trace.constant(f32([capacity, half], tables.cos));
        const sin = trace.constant(f32([capacity, half], tables.sin));
        withPositions = (x) => rope(x, cache.position, cos, sin);
      }
      const prepare = (x: Value, heads: number, rotate: boolean) => {
        const split = reshape(x, [rows, heads, 1, headDim]);
        return reshape(pad(rotate ? withPositions(split) : split, 3, 0, wide - headDim), [
          rows,
          1,
          heads * wide,
        ]);
      };
      const { output, key, value } = groupQueryAttention({
        q: prepare(q, spec.heads, true),
        k: prepare(k, spec.kvHeads, true),
        v: prepare(v, spec.kvHeads, false),
        ...cache,
      }, {
        heads: spec.heads,
        kvHeads: spec.kvHeads,
        scale: spec.scale,
        window: spec.window ?? -1,
        softcap: spec.softcap ?? 0,
      });
      updated(key, value);
      const heads = reshape(output, [rows, spec.heads, 1, wide]);
      return reshape(slice(heads, 3, 0, headDim), [rows, spec.heads * headDim]);
    },
  };
}
