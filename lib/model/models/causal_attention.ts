/** Causal attention over whole right-padded rows, for training and scoring. @module */
import {
  add,
  attention,
  concat,
  matmul,
  mul,
  reshape,
  rope,
  slice,
  softmax,
  tanh,
  type Trace,
  transpose,
  type Value,
} from "@/lib/compute/autodiff/mod.ts";
import type { DType } from "@/lib/compute/tensor/dtype.ts";
import { f32, f64, hostTensor } from "@/lib/compute/tensor/tensor.ts";
import type { AttentionSpec, BlockContext, Rope } from "./model.ts";
import { ropeTables } from "./rope_frequencies.ts";

/**
 * Added to the scores of hidden tokens: e^(−1e9) is 0. Padding is on the right, so the causal mask also hides it.
 */
const HIDDEN = -1e9;

/** Queries per block; scores with the keys after a block are not computed. */
const QUERY_BLOCK = 32;

/** Positions first … end − 1 of a row. */
interface Span {
  readonly first: number;
  readonly end: number;
}

/** Returns 0 for visible keys, else HIDDEN: [queries·groups, keys]; the heads of a group are neighbouring rows. */
function causalMask(queries: Span, keys: Span, groups: number, window: number | null): Float32Array {
  const width = keys.end - keys.first,
    mask = new Float32Array((queries.end - queries.first) * groups * width);
  let at = 0;
  for (let query = queries.first; query < queries.end; query++) {
    for (let head = 0; head < groups; head++) {
      for (let key = keys.first; key < keys.end; key++, at++) {
        if (key > query || (window !== null && key <= query - window)) mask[at] = HIDDEN;
      }
    }
  }
  return mask;
}

/** cos and sin of every token of a batch, [B·T, pairs], for rotations that depend on the length of a row. */
export interface TokenAngles {
  readonly cos: Value;
  readonly sin: Value;
}

/** Options of causal attention. */
export interface CausalAttentionOptions {
  /** for layers whose rotation depends on the length of a row; without it rows must be within the model's context */
  readonly angles?: TokenAngles | undefined;
  /** called with the rotated keys and the values, [B, kvHeads, T, D], for a key/value cache */
  readonly seen?: (key: Value, value: Value) => void;
}

/**
 * Returns attention of B rows of T tokens: softmax(scale·q·kᵀ + mask)·v per head, positions from 0. The query heads that
 * share a key head are stacked as rows, so keys and values are not repeated. Queries are computed in blocks, each with
 * the keys before its end: about half of the scores of long rows are not computed.
 */
export function causalAttention(
  trace: Trace,
  rows: number,
  length: number,
  { angles, seen }: CausalAttentionOptions = {},
): BlockContext {
  return {
    attend(q: Value, k: Value, v: Value, spec: AttentionSpec): Value {
      const { heads, kvHeads, headDim } = spec, groups = heads / kvHeads, batch = rows * kvHeads;
      const rotate = spec.rope &&
        rotation(trace, { tokens: rows * length, length, angles, dtype: q.dtype }, spec.rope);
      const rotated = (x: Value, n: number) =>
        rotate ? rotate(reshape(x, [rows * length, n, 1, headDim])) : x;
      // [B·T, kvHeads·w] → [B, kvHeads, T, w]
      const split = (x: Value, width: number) =>
        transpose(reshape(x, [rows, length, kvHeads, width]), [0, 2, 1, 3]);
      const queries = reshape(split(rotated(q, heads), groups * headDim), [batch, length * groups, headDim]);
      const key = split(rotated(k, kvHeads), headDim), value = split(v, headDim);
      seen?.(key, value);
      const keys = reshape(key, [batch, length, headDim]), values = reshape(value, [batch, length, headDim]);
      const mixed = blocksOf(length).map((block) => {
        const visible = {
          first: spec.window === null ? 0 : Math.max(0, block.first - spec.window + 1),
          end: block.end,
        };
        const mask = constantOf(
          trace,
          q.dtype,
          [(block.end - block.first) * groups, visible.end - visible.first],
          causalMask(block, visible, groups, spec.window),
        );
        const query = slice(queries, 1, block.first * groups, block.end * groups);
        const [key, value] = [keys, values].map((x) => slice(x, 1, visible.first, visible.end));
        return spec.softcap === null
          ? attention(query, key!, value!, mask, spec.scale)
          : softcappedAttention(query, key!, value!, mask, { scale: spec.scale, softcap: spec.softcap });
      });
      const joined = reshape(concat(mixed, 1), [rows, kvHeads, length, groups * headDim]);
      return reshape(transpose(joined, [0, 2, 1, 3]), [rows * length, heads * headDim]);
    },
  };
}

/** Returns the blocks of queries of a row; all but the last have equal length. */
function blocksOf(length: number): Span[] {
  const count = Math.max(1, Math.floor(length / QUERY_BLOCK)), size = Math.ceil(length / count);
  return Array.from(
    { length: count },
    (_, i) => ({ first: i * size, end: Math.min(length, (i + 1) * size) }),
  );
}

/** softmax(c·tanh(scale·q·kᵀ / c) + mask) · v for a soft cap c (Gemma Team 2024, arXiv:2408.00118, §2). */
function softcappedAttention(
  q: Value,
  k: Value,
  v: Value,
  mask: Value,
  { scale, softcap }: { readonly scale: number; readonly softcap: number },
): Value {
  const scores = matmul(q, k, { transB: true, alpha: scale / softcap });
  return matmul(softmax(add(mul(tanh(scores), softcap), mask)), v);
}

/** Returns the function that rotates x[B·T, n, 1, D], each token by its position. */
function rotation(
  trace: Trace,
  { tokens, length, angles, dtype }: Pick<CausalAttentionOptions, "angles"> & {
    readonly tokens: number;
    readonly length: number;
    readonly dtype: DType;
  },
  spec: Rope,
): (x: Value) => Value {
  const ids = (position: (token: number) => number) => {
    const values = BigInt64Array.from({ length: tokens }, (_, token) => BigInt(position(token)));
    return trace.constant(hostTensor("i64", [tokens, 1], values));
  };
  if (spec.atLength && angles) { // a table row for every token of the batch
    const rows = ids((token) => token);
    return (x) => rope(x, rows, angles.cos, angles.sin);
  }
  const tables = ropeTables(spec, length), half = spec.frequencies.length;
  const [cos, sin] = [tables.cos, tables.sin].map((table) => constantOf(trace, dtype, [length, half], table));
  const positions = ids((token) => token % length);
  return (x) => rope(x, positions, cos!, sin!);
}

function constantOf(trace: Trace, dtype: DType, shape: number[], values: Float32Array): Value {
  return trace.constant(dtype === "f64" ? f64(shape, values) : f32(shape, values));
}
