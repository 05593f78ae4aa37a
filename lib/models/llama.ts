/**
 * Llama (Touvron et al. 2023, arXiv:2302.13971; Llama 3: arXiv:2407.21783): pre-norm blocks of rotary grouped-query
 * attention and a gated MLP. Fields and defaults are those of transformers' LlamaConfig, but for the sizes of the network:
 * a config without them is a broken one, not a Llama of 7 billion parameters. `attention_dropout` is read by nobody:
 * training here drops nothing. What would change the arithmetic and is not supported is refused by name.
 * @module
 */
import { z } from "zod";
import { add, linear, mul, rmsNorm, type Value } from "@/lib/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { type ConfigInput, parseConfig } from "./config.ts";
import type { AttentionSpec, Block, Model, PartParameters, PartValues } from "./model.ts";
import { ropeFrequencies } from "./rope_frequencies.ts";

const positive = z.int().positive();

const LlamaConfig = z.looseObject({
  vocab_size: positive,
  hidden_size: positive,
  intermediate_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
  num_key_value_heads: positive.nullish(),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(2048),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  rope_theta: z.number().positive().default(10000),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).nullish(),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
  sliding_window: positive.nullish(),
  partial_rotary_factor: z.literal(1, "must be 1: every dimension of a head is turned").nullish(),
  pretraining_tp: z.literal(1, "must be 1: split products are not supported").default(1),
}).superRefine((c, context) => {
  const kv = c.num_key_value_heads ?? c.num_attention_heads;
  const dim = c.head_dim ?? c.hidden_size / c.num_attention_heads;
  const issue = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (c.num_attention_heads % kv !== 0) {
    issue("num_key_value_heads", `must divide num_attention_heads ${c.num_attention_heads}: ${kv}`);
  }
  if (!Number.isInteger(dim)) {
    issue("num_attention_heads", `must divide hidden_size ${c.hidden_size} without head_dim`);
  } else if (dim % 2 !== 0) issue("head_dim", `must be even for rotary embedding: ${dim}`);
  if (c.sliding_window != null && c.sliding_window < c.max_position_embeddings) {
    issue("sliding_window", `must be null, as a Llama sees the whole context: ${c.sliding_window}`);
  }
  const theta = c.rope_parameters?.rope_theta;
  if (theta !== undefined && !(typeof theta === "number" && theta > 0)) {
    issue("rope_parameters.rope_theta", `must be a positive number: ${JSON.stringify(theta)}`);
  }
});

type Config = z.output<typeof LlamaConfig>;

/** A Llama from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function llama(input: ConfigInput): Model {
  const config = parseConfig(LlamaConfig, input);
  const attention = attentionOf(config);
  const embedding = { name: "model.embed_tokens.weight", shape: [config.vocab_size, config.hidden_size] };
  const act = activation(config.hidden_act);
  const norm = (x: Value, weight: Value) => rmsNorm(x, weight, config.rms_norm_eps);
  const output = config.tie_word_embeddings ? embedding : { ...embedding, name: "lm_head.weight" };
  return {
    config: input.json,
    modelType: "llama",
    headKind: input.headKind,
    vocabSize: config.vocab_size,
    hiddenSize: config.hidden_size,
    contextLength: config.max_position_embeddings,
    embeddings: [{ parameter: embedding, index: "token", factor: 1 }],
    blocks: Array.from({ length: config.num_hidden_layers }, (_, layer): Block => ({
      kind: "decoder",
      attention,
      parameters: blockParameters(config, attention, layer),
    })),
    applyBlock(block, p, x, context) {
      const h = norm(x, p.attentionNorm!);
      const mixed = context.attend(affine(p, "q", h), affine(p, "k", h), affine(p, "v", h), block.attention);
      const middle = add(x, affine(p, "o", mixed));
      const m = norm(middle, p.mlpNorm!);
      return add(middle, affine(p, "down", mul(act(affine(p, "gate", m)), affine(p, "up", m))));
    },
    head: {
      norm: { name: "model.norm.weight", shape: [config.hidden_size] },
      output: input.headKind === "lm" ? output : { name: "score.weight", shape: [1, config.hidden_size] },
    },
    normalise: (p, x) => norm(x, p.norm!),
    project: (p, hidden) => linear(hidden, p.output!),
  };
}

function attentionOf(config: Config): AttentionSpec {
  const heads = config.num_attention_heads;
  const headDim = config.head_dim ?? config.hidden_size / heads;
  const scaling = config.rope_parameters ?? config.rope_scaling;
  const theta = typeof scaling?.rope_theta === "number" ? scaling.rope_theta : config.rope_theta;
  return {
    heads,
    kvHeads: config.num_key_value_heads ?? heads,
    headDim,
    scale: 1 / Math.sqrt(headDim),
    window: null,
    rope: ropeFrequencies(theta, headDim, scaling),
  };
}

function blockParameters(config: Config, attention: AttentionSpec, layer: number): PartParameters {
  const { hidden_size: C, intermediate_size: F } = config;
  const q = attention.heads * attention.headDim, kv = attention.kvHeads * attention.headDim;
  const at = `model.layers.${layer}.`;
  const matrix = (local: string, module: string, out: number, inner: number, bias: boolean) => ({
    [local]: { name: `${at}${module}.weight`, shape: [out, inner] },
    ...(bias ? { [`${local}Bias`]: { name: `${at}${module}.bias`, shape: [out] } } : {}),
  });
  return {
    attentionNorm: { name: `${at}input_layernorm.weight`, shape: [C] },
    ...matrix("q", "self_attn.q_proj", q, C, config.attention_bias),
    ...matrix("k", "self_attn.k_proj", kv, C, config.attention_bias),
    ...matrix("v", "self_attn.v_proj", kv, C, config.attention_bias),
    ...matrix("o", "self_attn.o_proj", C, q, config.attention_bias),
    mlpNorm: { name: `${at}post_attention_layernorm.weight`, shape: [C] },
    ...matrix("gate", "mlp.gate_proj", F, C, config.mlp_bias),
    ...matrix("up", "mlp.up_proj", F, C, config.mlp_bias),
    ...matrix("down", "mlp.down_proj", C, F, config.mlp_bias),
  };
}

/** x·Wᵀ + b, where there is a bias. */
function affine(p: PartValues, name: string, x: Value): Value {
  const product = linear(x, p[name]!), bias = p[`${name}Bias`];
  return bias ? add(product, bias) : product;
}
