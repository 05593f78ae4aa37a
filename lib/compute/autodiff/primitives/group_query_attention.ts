/**
 * Attention over a key/value cache that is updated in place: forward only, for generation. ONNX Runtime's
 * GroupQueryAttention (com.microsoft); its CPU kernel is f32 and the bits of a row do not depend on the other rows of
 * the batch.
 * @module
 */
import { UnsupportedOpError } from "@/lib/compute/tensor/errors.ts";
import { ELEMENT_TYPE } from "@/lib/compute/tensor/dtype.ts";
import { f32, hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { definePrimitive, type Lowering } from "../primitive.ts";
import type { Value } from "../value.ts";
import { addMatmul } from "./matmul.ts";

interface AttentionParams {
  readonly heads: number;
  readonly kvHeads: number;
  readonly scale: number;
  /** number of tokens that a position attends to, including itself; −1 is all */
  readonly window: number;
  /** 0 is none */
  readonly softcap: number;
}

/** The primitive of `groupQueryAttention()`. */
export const groupQueryAttentionPrimitive = definePrimitive<AttentionParams>({
  name: "groupQueryAttention",
  abstractEval: ([q, , , pastKey, pastValue]) => [
    { dtype: q!.dtype, shape: q!.shape },
    { dtype: pastKey!.dtype, shape: pastKey!.shape },
    { dtype: pastValue!.dtype, shape: pastValue!.shape },
  ],
  vjp() {
    throw new UnsupportedOpError(
      "groupQueryAttention has no gradient: training uses attention() instead",
    );
  },
  lower(lowering) {
    const { node, inputs, params: { heads, kvHeads, scale, window, softcap }, has } = lowering;
    if (softcap > 0 && !has("GroupQueryAttention.softcap")) return lowerComposed(lowering);
    node("GroupQueryAttention", inputs, {
      num_heads: heads,
      kv_num_heads: kvHeads,
      scale: { float: scale },
      local_window_size: window,
      ...(softcap > 0 ? { softcap: { float: softcap } } : {}),
    }, { domain: "com.microsoft" });
  },
});

/** Added to the scores of hidden positions: e^(−1e9) is 0. */
const HIDDEN = -1e9;

/** Adds attention of one token per row over all positions of the cache, from other operators. */
function lowerComposed(lowering: Lowering<AttentionParams>): void {
  const { node, temporary, constant, ints, inputs, outputs, inputTypes, params } = lowering;
  const [q, k, v, pastKey, pastValue, lastIndex] = inputs, [output, key, value] = outputs;
  const [rows, kvHeads, capacity, headDim] = inputTypes[3]!.shape as [number, number, number, number];
  const { heads, scale, window, softcap } = params, groups = heads / kvHeads;
  if (inputTypes[0]!.shape[1] !== 1) {
    throw new UnsupportedOpError(
      `groupQueryAttention on this device takes 1 token per row, got ${inputTypes[0]!.shape[1]}`,
    );
  }
  const step = (opType: string, operands: readonly string[], attributes = {}, to = temporary()) => {
    node(opType, operands, attributes, { outputs: [to] });
    return to;
  };
  const number = (x: number) => constant(f32([], [x]));
  // Positions of the cache, and that of each row's token, as f32: exact up to 2^24.
  const last = step("Reshape", [step("Cast", [lastIndex!], { to: ELEMENT_TYPE.f32 }), ints([rows, 1, 1, 1])]);
  const positions = Float32Array.from({ length: capacity }, (_, i) => i);
  const own = step("Equal", [constant(hostTensor("f32", [1, 1, capacity, 1], positions)), last]);
  step("Where", [own, step("Reshape", [k!, ints([rows, kvHeads, 1, headDim])]), pastKey!], {}, key);
  step("Where", [own, step("Reshape", [v!, ints([rows, kvHeads, 1, headDim])]), pastValue!], {}, value);
  const scores = temporary(), grouped = step("Reshape", [q!, ints([rows, kvHeads, groups, headDim])]);
  const how = { transA: false, transB: true, alpha: scale / softcap, rank: 4, dtype: inputTypes[0]!.dtype };
  addMatmul(lowering, [grouped, key!], scores, how);
  const capped = step("Mul", [step("Tanh", [scores]), number(softcap)]);
  const ahead = constant(hostTensor("f32", [1, 1, 1, capacity], positions));
  let visible = step("LessOrEqual", [ahead, last]);
  if (window >= 0) {
    const inside = step("Less", [step("Sub", [last, number(window)]), ahead]);
    visible = step("And", [visible, inside]);
  }
  const probabilities = step("Softmax", [step("Where", [visible, capped, number(HIDDEN)])], { axis: -1 });
  const mixed = step("MatMul", [probabilities, value!]);
  step("Reshape", [mixed, ints([rows, 1, heads * headDim])], {}, output);
}

/**
 * Returns attention over the cached keys and values, and the updated cache.
 * @param q [B,S,heads·D] rotated queries
 * @param k,v [B,S,kvHeads·D] rotated keys, and values
 * @param past keys and values [B,kvHeads,P,D]; the outputs of the same shape may share their buffers
 * @param lastIndex i32[B] total length of the row minus one
 * @param total i32[1] the longest total length of the batch
 */
export function groupQueryAttention(
  { q, k, v, pastKey, pastValue, lastIndex, total }: Readonly<
    Record<"q" | "k" | "v" | "pastKey" | "pastValue" | "lastIndex" | "total", Value>
  >,
  params: AttentionParams,
): { output: Value; key: Value; value: Value } {
  const inputs = [q, k, v, pastKey, pastValue, lastIndex, total];
  const [output, key, value] = q.trace.bind(groupQueryAttentionPrimitive, inputs, params);
  return { output: output!, key: key!, value: value! };
}
