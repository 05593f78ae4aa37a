/** Attention over whole right-padded rows, as training and scoring use it. @module */
import {
  add,
  attention,
  matmul,
  mul,
  reshape,
  rope,
  softmax,
  tanh,
  type Trace,
  transpose,
  type Value,
} from "@/lib/autodiff/mod.ts";
import type { DType } from "@/lib/tensor/dtype.ts";
import { f32, f64, hostTensor } from "@/lib/tensor/tensor.ts";
import type { AttentionSpec, BlockContext, Rope } from "./model.ts";
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

/** cos and sin of every token of a batch, [B·T, pairs] each, for rotations that depend on the length of a row. */
export interface TokenAngles {
  readonly cos: Value;
  readonly sin: Value;
}

/** What causal attention takes besides its rows. */
export interface CausalAttentionOptions {
  /** for layers whose rotation depends on the length of a row; without it rows lie within the model's context */
  readonly angles?: TokenAngles | undefined;
  /** told the rotated keys and the values, [B, kvHeads, T, D]: what a cache holds */
  readonly seen?: (key: Value, value: Value) => void;
}

/**
 * Attention of B rows of T tokens: softmax(scale·q·kᵀ + mask)·v per head, positions from 0. The query heads that share
 * a key head are stacked as rows, so that keys and values are never repeated.
 */
export function causalAttention(
  trace: Trace,
  rows: number,
  length: number,
  { angles, seen }: CausalAttentionOptions = {},
): BlockContext {
  return {
    attend(q: Value, k: Value, v: Value, spec: AttentionSpec): Value {
      const { heads, kvHeads, headDim } = spec, groups = heads / kvHeads;
      const split = (x: Value, n: number) => transpose(reshape(x, [rows, length, n, headDim]), [0, 2, 1, 3]);
      const turn = spec.rope
        ? rotation(trace, { rows, length, angles, dtype: q.dtype }, spec.rope)
        : undefined;
      const rotated = (x: Value) => turn ? turn(x) : x; // [B,n,T,D]
      const batch = rows * kvHeads;
      const queries = reshape(rotated(split(q, heads)), [batch, groups * length, headDim]);
      const key = rotated(split(k, kvHeads)), value = split(v, kvHeads);
      seen?.(key, value);
      const keys = reshape(key, [batch, length, headDim]), values = reshape(value, [batch, length, headDim]);
      const shape = [groups * length, length];
      const mask = constantOf(trace, q.dtype, shape, causalMask(length, groups, spec.window));
      const mixed = spec.softcap === null
        ? attention(queries, keys, values, mask, spec.scale)
        : softcappedAttention(queries, keys, values, mask, { scale: spec.scale, softcap: spec.softcap });
      const joined = transpose(reshape(mixed, [rows, heads, length, headDim]), [0, 2, 1, 3]); // [B·KV, G·T, D]
      return reshape(joined, [rows * length, heads * headDim]);
    },
  };
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

/** Rotates x[B,n,T,D] by the positions of its tokens. */
function rotation(
  trace: Trace,
  { rows, length, angles, dtype }: Pick<CausalAttentionOptions, "angles"> & {
    readonly rows: number;
    readonly length: number;
    readonly dtype: DType;
  },
  spec: Rope,
): (x: Value) => Value {
  const ids = (position: (token: number) => number) => {
    const values = BigInt64Array.from({ length: rows * length }, (_, token) => BigInt(position(token)));
    return trace.constant(hostTensor("i64", [rows, length], values));
  };
  if (spec.atLength && angles) { // a table row for every token of the batch
    const tokens = ids((token) => token);
    return (x) => rope(x, tokens, angles.cos, angles.sin);
  }
  const tables = ropeTables(spec, length), half = spec.frequencies.length;
  const [cos, sin] = [tables.cos, tables.sin].map((table) => constantOf(trace, dtype, [length, half], table));
  const positions = ids((token) => token % length);
  return (x) => rope(x, positions, cos!, sin!);
}

function constantOf(trace: Trace, dtype: DType, shape: number[], values: Float32Array): Value {
  return trace.constant(dtype === "f64" ? f64(shape, values) : f32(shape, values));
}
