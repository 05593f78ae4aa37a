/**
 * Attention over a key/value cache that is updated in place: forward only, for generation. ONNX Runtime's
 * GroupQueryAttention (com.microsoft); its CPU kernel is f32 and the bits of a row do not depend on the other rows of
 * the batch.
 * @module
 */
import { UnsupportedOpError } from "@/lib/compute/tensor/errors.ts";
import { definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";

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
  lower({ node, inputs, params: { heads, kvHeads, scale, window, softcap } }) {
    node("GroupQueryAttention", inputs, {
      num_heads: heads,
      kv_num_heads: kvHeads,
      scale: { float: scale },
      local_window_size: window,
      ...(softcap > 0 ? { softcap: { float: softcap } } : {}),
    }, { domain: "com.microsoft" });
  },
});

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
