/**
 * Causal attention of standard ONNX operators over right-padded rows whose number and length are known at run time only.
 * @module
 */
import type { Value } from "@/lib/compute/autodiff/mod.ts";
import type { Lowering } from "@/lib/compute/autodiff/primitive.ts";
import type { AttentionSpec, BlockContext, Rope } from "@/lib/model/models/model.ts";
import { ropeTables } from "@/lib/model/models/rope_frequencies.ts";
import { f32, i64 } from "@/lib/compute/tensor/tensor.ts";
import { emit, inferencePrimitive, lengthOf, placesOf } from "./token_shapes.ts";

/** Added to the scores of masked tokens, as in training: e^(−1e9) is 0. */
const HIDDEN = -1e9;

/** `rotated`: number of rotated dimensions of a head, the first ones; 0: none. */
type Spec = Omit<AttentionSpec, "rope"> & { readonly rotated: number };

const attentionPrimitive = inferencePrimitive<Spec>({
  name: "tokenAttention",
  abstractEval: ([q]) => [{ dtype: q!.dtype, shape: q!.shape }],
  lower(lowering) {
    const { inputs: [q, k, v, ids, cos, sin], params, ints, constant, node } = lowering;
    const { heads, kvHeads, headDim, scale, softcap, rotated } = params, groups = heads / kvHeads;
    const shape = emit(lowering, "Shape", [ids!]); // [B,T]
    const split = (x: string, n: number) => { // [B·T,n·D] → [B,n,T,D]
      const to = emit(lowering, "Concat", [shape, ints([n, headDim])], { axis: 0 });
      return emit(lowering, "Transpose", [emit(lowering, "Reshape", [x, to])], { perm: [0, 2, 1, 3] });
    };
    const tables = rotated > 0
      ? [firstRows(lowering, cos!, ids!), firstRows(lowering, sin!, ids!)] as const
      : undefined;
    const withPositions = (x: string) => tables ? rotate(lowering, x, tables) : x;
    // Query heads of one group share a key and a value head: [B,KV,G,T,D] against [B,KV,1,T,D].
    const length = lengthOf(lowering, ids!);
    const grouped = emit(lowering, "Concat", [ints([0, kvHeads, groups]), length, ints([headDim])], {
      axis: 0,
    });
    const queries = emit(lowering, "Reshape", [withPositions(split(q!, heads)), grouped]);
    const widen = (x: string) => emit(lowering, "Unsqueeze", [x, ints([2])]);
    const keys = emit(lowering, "Transpose", [widen(withPositions(split(k!, kvHeads)))], {
      perm: [0, 1, 2, 4, 3],
    });
    const products = emit(lowering, "MatMul", [queries, keys]); // [B,KV,G,T,T]
    const times = (x: string, factor: number) => emit(lowering, "Mul", [x, constant(f32([], [factor]))]);
    const scores = softcap === null
      ? times(products, scale)
      : times(emit(lowering, "Tanh", [times(products, scale / softcap)]), softcap);
    const masked = emit(lowering, "Add", [scores, mask(lowering, ids!)]);
    const weights = emit(lowering, "Softmax", [masked], { axis: -1 });
    const mixed = emit(lowering, "MatMul", [weights, widen(split(v!, kvHeads))]); // [B,KV,G,T,D]
    const ordered = emit(lowering, "Transpose", [mixed], { perm: [0, 3, 1, 2, 4] }); // [B,T,KV,G,D]
    node("Reshape", [ordered, ints([-1, heads * headDim])]);
  },
});

/** Returns the first T rows of a table by position. */
function firstRows(lowering: Lowering<Spec>, table: string, ids: string): string {
  const { ints } = lowering;
  return emit(lowering, "Slice", [table, ints([0]), lengthOf(lowering, ids), ints([0])]);
}

/** Maps [a, b, c] to [a·cos − b·sin, b·cos + a·sin, c] over the last axis of x[B,n,T,D]; tables are [T,R/2], c has D − R dimensions. */
function rotate(lowering: Lowering<Spec>, x: string, tables: readonly [string, string]): string {
  const { ints, params: { headDim, rotated } } = lowering, [cos, sin] = tables, half = rotated / 2;
  const part = (from: number, to: number) =>
    emit(lowering, "Slice", [x, ints([from]), ints([to]), ints([3])]);
  const [a, b] = [part(0, half), part(half, rotated)];
  const times = (left: string, right: string) => emit(lowering, "Mul", [left, right]);
  return emit(lowering, "Concat", [
    emit(lowering, "Sub", [times(a, cos), times(b, sin)]),
    emit(lowering, "Add", [times(b, cos), times(a, sin)]),
    ...(rotated < headDim ? [part(rotated, headDim)] : []),
  ], { axis: 3 });
}

/** Returns a mask [T,T]: 0 where a query (row) attends to a key (column), else HIDDEN. */
function mask(lowering: Lowering<Spec>, ids: string): string {
  const { constant, ints, params: { window } } = lowering;
  const places = placesOf(lowering, ids);
  const key = emit(lowering, "Unsqueeze", [places, ints([0])]);
  const query = emit(lowering, "Unsqueeze", [places, ints([1])]);
  let seen = emit(lowering, "LessOrEqual", [key, query]);
  if (window !== null) {
    const oldest = emit(lowering, "Sub", [query, constant(i64([], [window]))]);
    seen = emit(lowering, "And", [seen, emit(lowering, "Greater", [key, oldest])]);
  }
  return emit(lowering, "Where", [seen, constant(f32([], [0])), constant(f32([], [HIDDEN]))]);
}

/** Tables of rotary embedding, cos and sin, that a graph contains; models of one shape share them. */
export type TracedRopeTables = Map<string, readonly [Value, Value]>;

/**
 * Returns attention within the rows of ids[B,T].
 * @param contextLength longest row; the length of tables of rotary embedding
 * @param known tables of the graph so far; new ones are added
 */
export function tokenAttention(ids: Value, contextLength: number, known: TracedRopeTables): BlockContext {
  const tablesOf = (rope: Rope) => {
    const key = JSON.stringify([contextLength, rope.attentionFactor, ...rope.frequencies]);
    let tables = known.get(key);
    if (!tables) {
      const { cos, sin } = ropeTables(rope, contextLength), shape = [contextLength, rope.frequencies.length];
      tables = [ids.trace.constant(f32(shape, cos)), ids.trace.constant(f32(shape, sin))];
      known.set(key, tables);
    }
    return tables;
  };
  return {
    attend: (q, k, v, { rope, ...spec }) =>
      ids.trace.bind(attentionPrimitive, [q, k, v, ids, ...rope ? tablesOf(rope) : []], {
        ...spec,
        rotated: rope ? 2 * rope.frequencies.length : 0,
      })[0]!,
  };
}
