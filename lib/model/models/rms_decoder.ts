/**
 * The block of most families: RMS norms, rotary attention and a gated MLP (Shazeer 2020, arXiv:2002.05202, eq. 6), with
 * the variants of Llama, Mistral, Qwen, Gemma, Phi, OLMo and SmolLM.
 * @module
 */
import { add, mul, reshape, rmsNorm, slice, type Value } from "@/lib/compute/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { affine, affineParameters } from "./affine.ts";
import { headDimOf, type HeadSizes, kvHeadsOf } from "./config_fields.ts";
import { decoder } from "./decoder.ts";
import type { ConfigInput } from "./family.ts";
import type { AttentionSpec, Model, PartParameters, PartValues } from "./model.ts";
import { contextLengthOf, ropeOf, type RotaryConfig, rotatedDims } from "./rotary.ts";

/** Fields that this decoder reads. */
export interface RmsConfig extends HeadSizes, RotaryConfig {
  readonly vocab_size: number;
  readonly intermediate_size: number;
  readonly rms_norm_eps: number;
  readonly tie_word_embeddings: boolean;
}

/** Variants of a family. */
export interface RmsParts {
  /** one per layer */
  readonly attention: readonly AttentionSpec[];
  /** name of the activation, and the config field it is from (for messages) */
  readonly activation: { readonly name: string; readonly field?: string };
  /** which linear maps have a bias; default none */
  readonly biases?: Partial<Record<"qkv" | "o" | "mlp", boolean>>;
  /** norms before each sublayer, after it, or both; default before */
  readonly norms?: "before" | "after" | "both";
  /** norms of queries and keys, per head (Henry et al. 2020, arXiv:2010.04245) or over all heads together */
  readonly queryKeyNorm?: "head" | "all";
  /** q, k and v are one matrix, gate and up another */
  readonly fused?: boolean;
  /** norms multiply by `normOffset` + weight; default 0 */
  readonly normOffset?: number;
  /** factor on token embeddings; default 1 */
  readonly embeddingFactor?: number;
  readonly logitSoftcap?: number | null;
}

/** Returns attention that scales by 1/√D. @param share share of a head that is rotated, default 1 */
export function rotaryAttention(
  config: HeadSizes & RotaryConfig,
  window: number | null | undefined,
  share = 1,
): AttentionSpec {
  const headDim = headDimOf(config), rotated = rotatedDims(headDim, share);
  return {
    heads: config.num_attention_heads,
    kvHeads: kvHeadsOf(config),
    headDim,
    scale: 1 / Math.sqrt(headDim),
    softcap: null,
    window: window ?? null,
    rope: rotated === 0 ? null : ropeOf(config, rotated),
  };
}

/** Returns a model of this structure. @throws {DataError} if the activation is not supported */
export function rmsDecoder(input: ConfigInput, config: RmsConfig, parts: RmsParts): Model {
  const { hidden_size: width, rms_norm_eps: epsilon } = config, { normOffset = 0 } = parts;
  const act = activation(parts.activation.name, parts.activation.field);
  const norm = (x: Value, weight: Value) =>
    rmsNorm(x, normOffset === 0 ? weight : add(weight, normOffset), epsilon);
  const normIf = (x: Value, weight: Value | undefined) => weight ? norm(x, weight) : x;
  // queries or keys, [N, heads·D]
  const normHeads = (x: Value, weight: Value | undefined, headDim: number) => {
    if (!weight || parts.queryKeyNorm === "all") return normIf(x, weight);
    const [tokens, width] = x.shape as readonly [number, number];
    return reshape(norm(reshape(x, [tokens, width / headDim, headDim]), weight), [tokens, width]);
  };
  return decoder(input, {
    ...(normOffset === 0 ? {} : { neutralNorm: 1 - normOffset }),
    contextLength: contextLengthOf(config, parts.attention.map(({ rope }) => rope)),
    prefix: "model.",
    embeddings: [{
      parameter: { name: "model.embed_tokens.weight", shape: [config.vocab_size, width] },
      index: "token",
      factor: parts.embeddingFactor ?? 1,
    }],
    attention: parts.attention,
    blockParameters: (layer, spec) => blockParameters(`model.layers.${layer}.`, config, spec, parts),
    applyBlock({ attention: spec }, p, x, context) {
      const { headDim } = spec, [q, k, v] = queriesKeysValues(p, normIf(x, p.attentionNorm), spec);
      const [query, key] = [normHeads(q, p.queryNorm, headDim), normHeads(k, p.keyNorm, headDim)];
      const attended = affine(p, "o", context.attend(query, key, v, spec));
      const middle = add(x, normIf(attended, p.afterAttention));
      return add(middle, normIf(gatedMlp(p, act, normIf(middle, p.mlpNorm)), p.afterMlp));
    },
    finalNorm: { norm: { name: "model.norm.weight", shape: [width] } },
    normalise: (p, x) => norm(x, p.norm!),
    outputName: "lm_head.weight",
    tied: config.tie_word_embeddings,
    logitSoftcap: parts.logitSoftcap ?? null,
  });
}

/** Returns the parameters of a block by local names. Their order is that of the flat parameter vector. */
function blockParameters(
  at: string,
  { hidden_size: width, intermediate_size: middle }: RmsConfig,
  { heads, kvHeads, headDim }: AttentionSpec,
  { norms = "before", queryKeyNorm, fused = false, biases = {} }: RmsParts,
): PartParameters {
  const q = heads * headDim, kv = kvHeads * headDim, isPerHead = queryKeyNorm === "head";
  const before = norms !== "after", after = norms !== "before";
  const norm = (local: string, module: string, size = width) => ({
    [local]: { name: `${at}${module}.weight`, shape: [size] },
  });
  const map = (local: string, module: string, out: number, inner: number, bias = false) =>
    affineParameters(local, { module: at + module, out, inner, bias });
  return {
    ...(before && norm("attentionNorm", "input_layernorm")),
    ...(fused ? map("qkv", "self_attn.qkv_proj", q + 2 * kv, width, biases.qkv) : {
      ...map("q", "self_attn.q_proj", q, width, biases.qkv),
      ...map("k", "self_attn.k_proj", kv, width, biases.qkv),
      ...map("v", "self_attn.v_proj", kv, width, biases.qkv),
    }),
    ...map("o", "self_attn.o_proj", width, q, biases.o),
    ...(queryKeyNorm && norm("queryNorm", "self_attn.q_norm", isPerHead ? headDim : q)),
    ...(queryKeyNorm && norm("keyNorm", "self_attn.k_norm", isPerHead ? headDim : kv)),
    ...(after && norm("afterAttention", "post_attention_layernorm")),
    // With norms on both sides, the one before the MLP has another name.
    ...(before && norm("mlpNorm", after ? "pre_feedforward_layernorm" : "post_attention_layernorm")),
    ...(fused ? map("gateUp", "mlp.gate_up_proj", 2 * middle, width, biases.mlp) : {
      ...map("gate", "mlp.gate_proj", middle, width, biases.mlp),
      ...map("up", "mlp.up_proj", middle, width, biases.mlp),
    }),
    ...map("down", "mlp.down_proj", width, middle, biases.mlp),
    ...(after && norm("afterMlp", "post_feedforward_layernorm")),
  };
}

/** q [N,heads·D], k and v [N,kvHeads·D] from three matrices or one */
function queriesKeysValues(
  p: PartValues,
  x: Value,
  { heads, kvHeads, headDim }: AttentionSpec,
): [q: Value, k: Value, v: Value] {
  if (!p.qkv) return [affine(p, "q", x), affine(p, "k", x), affine(p, "v", x)];
  const qkv = affine(p, "qkv", x), keys = heads * headDim, values = keys + kvHeads * headDim;
  return [slice(qkv, 1, 0, keys), slice(qkv, 1, keys, values), slice(qkv, 1, values, qkv.shape[1]!)];
}

/** down(act(gate x) ∘ up x): x [N,C] → [N,C] */
function gatedMlp(p: PartValues, act: (x: Value) => Value, x: Value): Value {
  if (!p.gateUp) return affine(p, "down", mul(act(affine(p, "gate", x)), affine(p, "up", x)));
  const gateUp = affine(p, "gateUp", x), middle = gateUp.shape[1]! / 2;
  const gate = slice(gateUp, 1, 0, middle), up = slice(gateUp, 1, middle, 2 * middle);
  return affine(p, "down", mul(act(gate), up));
}
