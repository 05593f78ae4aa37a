/** The attention layer of most families: q, k, v and o as linear maps of their own, q and k normalised by some. @module */
import { reshape, type Value } from "@/lib/autodiff/mod.ts";
import { affine, affineParameters } from "./affine.ts";
import type { AttentionSpec, BlockContext, PartParameters, PartValues } from "./model.ts";

/** Which of the maps have a bias. */
export interface AttentionBiases {
  readonly qkv: boolean;
  readonly o: boolean;
}

/** `q`, `k`, `v` and `o` under `at`, for hidden states of `width`. */
export function attentionParameters(
  at: string,
  { heads, kvHeads, headDim }: AttentionSpec,
  width: number,
  bias: AttentionBiases,
): PartParameters {
  const q = heads * headDim, kv = kvHeads * headDim;
  return {
    ...affineParameters("q", { module: `${at}q_proj`, out: q, inner: width, bias: bias.qkv }),
    ...affineParameters("k", { module: `${at}k_proj`, out: kv, inner: width, bias: bias.qkv }),
    ...affineParameters("v", { module: `${at}v_proj`, out: kv, inner: width, bias: bias.qkv }),
    ...affineParameters("o", { module: `${at}o_proj`, out: width, inner: q, bias: bias.o }),
  };
}

/** What is done to q [N,heads·D] and k [N,kvHeads·D] before they are rotated. */
export interface QueryKeyNorm {
  query(q: Value): Value;
  key(k: Value): Value;
}

/** x [N,C] → [N,C] */
export function attentionLayer(
  p: PartValues,
  x: Value,
  spec: AttentionSpec,
  context: BlockContext,
  norm?: QueryKeyNorm,
): Value {
  const q = affine(p, "q", x), k = affine(p, "k", x), v = affine(p, "v", x);
  const mixed = context.attend(norm ? norm.query(q) : q, norm ? norm.key(k) : k, v, spec);
  return affine(p, "o", mixed);
}

/** `norm` of every head on its own, over its D dimensions: x [N,heads·D] → [N,heads·D]. */
export function perHead(x: Value, headDim: number, norm: (heads: Value) => Value): Value {
  const [tokens, width] = x.shape as readonly [number, number];
  return reshape(norm(reshape(x, [tokens, width / headDim, headDim])), [tokens, width]);
}
