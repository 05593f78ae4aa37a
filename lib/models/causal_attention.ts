/** Attention over whole right-padded rows, as training and scoring use it. @module */
import { attention, reshape, rope, type Trace, transpose, type Value } from "@/lib/autodiff/mod.ts";
import { f32, f64, hostTensor } from "@/lib/tensor/tensor.ts";
import type { AttentionSpec, BlockContext } from "./model.ts";
import { ropeTables } from "./rope_frequencies.ts";

/**
 * What is added to the scores of tokens that a position must not see. Rows are right-padded, so causality alone keeps
 * padding out; e^(−1e9) is 0, so nothing leaks.
 */
const HIDDEN = -1e9;

/** 0 where a query may see a key, else HIDDEN: [groups·T, T], the mask of T rows once per query head of a group. */
function causalMask(length: number, groups: number, window: number | null): Float32Array {
  const mask = new Float32Array(groups * length * length);
  for (let row = 0; row < groups * length; row++) {
    const query = row % length;
    for (let key = 0; key < length; key++) {
      const seen = key <= query && (window === null || key > query - window);
      if (!seen) mask[row * length + key] = HIDDEN;
    }
  }
  return mask;
}

/**
 * Attention of B rows of T tokens: softmax(scale·q·kᵀ + mask)·v per head, positions from 0. The query heads that share
 * a key head are stacked as rows, so that keys and values are never repeated.
 * @param seen told the rotated keys and the values, [B, kvHeads, T, D]: what a cache holds
 */
export function causalAttention(
  trace: Trace,
  rows: number,
  length: number,
  seen?: (key: Value, value: Value) => void,
): BlockContext {
  return {
    attend(q: Value, k: Value, v: Value, spec: AttentionSpec): Value {
      const { heads, kvHeads, headDim } = spec, groups = heads / kvHeads, dtype = q.dtype;
      const wide = dtype === "f64";
      const constant = (shape: number[], values: Float32Array | Float64Array) =>
        trace.constant(wide ? f64(shape, values) : f32(shape, values));
      const split = (x: Value, n: number) => transpose(reshape(x, [rows, length, n, headDim]), [0, 2, 1, 3]);
      let turn = (x: Value) => x; // [B,n,T,D]
      if (spec.rope) {
        const tables = ropeTables(spec.rope, length), half = spec.rope.frequencies.length;
        const cos = constant([length, half], tables.cos), sin = constant([length, half], tables.sin);
        const ids = BigInt64Array.from({ length: rows * length }, (_, i) => BigInt(i % length));
        const positions = trace.constant(hostTensor("i64", [rows, length], ids));
        turn = (x) => rope(x, positions, cos, sin);
      }
      const batch = rows * kvHeads;
      const queries = reshape(turn(split(q, heads)), [batch, groups * length, headDim]);
      const key = turn(split(k, kvHeads)), value = split(v, kvHeads);
      seen?.(key, value);
      const keys = reshape(key, [batch, length, headDim]), values = reshape(value, [batch, length, headDim]);
      const mask = constant([groups * length, length], causalMask(length, groups, spec.window));
      const mixed = attention(queries, keys, values, mask, spec.scale); // [B·KV, G·T, D]
      const joined = transpose(reshape(mixed, [rows, heads, length, headDim]), [0, 2, 1, 3]);
      return reshape(joined, [rows * length, heads * headDim]);
    },
  };
}
