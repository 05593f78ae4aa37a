/**
 * Gemma 3, text (Gemma Team 2025, arXiv:2503.19786): four norms per block, normalised queries and keys, five layers with a
 * window and a rotation of their own to one that sees everything. Fields and defaults are those of transformers'
 * Gemma3TextConfig; the model type of text alone is `gemma3_text`.
 * @module
 */
import { z } from "zod";
import { gemmaDecoder } from "./gemma_parts.ts";
import { checkLayerTypes, LAYER_TYPES, type LayerType, layerTypes, windowOf } from "./layer_types.ts";
import type { AttentionSpec, Model } from "./model.ts";
import {
  absent,
  checkHeads,
  type ConfigInput,
  parseConfig,
  positive,
  SIZES,
  WHOLE_ROTARY,
} from "./parse_config.ts";
import { rotaryAttention } from "./pre_norm_decoder.ts";
import type { RopeScaling } from "./rope_frequencies.ts";
import { contextLengthOf } from "./rotary.ts";

const Gemma3Config = z.looseObject({
  ...SIZES,
  ...WHOLE_ROTARY,
  ...LAYER_TYPES,
  rope_theta: z.number().positive().default(1000000),
  rope_local_base_freq: z.number().positive().default(10000),
  num_key_value_heads: positive.nullable().default(4),
  head_dim: positive.default(256),
  hidden_activation: z.string().default("gelu_pytorch_tanh"),
  max_position_embeddings: positive.default(131072),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  attention_bias: z.boolean().default(false),
  mlp_bias: absent("its MLP has no bias"),
  tie_word_embeddings: z.boolean().default(true),
  query_pre_attn_scalar: z.number().positive().default(256),
  sliding_window: positive.nullable().default(4096),
  /** a layer in so many that sees everything: the older spelling of `layer_types` */
  sliding_window_pattern: positive.default(6),
  attn_logit_softcapping: z.null("must be null: Gemma 3 has no soft cap on attention").optional(),
  final_logit_softcapping: z.number().positive().nullish(),
  use_bidirectional_attention: absent("attention must be causal"),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkLayerTypes(typesOf(config), config, context);
});

type Config = z.output<typeof Gemma3Config>;

function typesOf(
  config: Pick<Config, "layer_types" | "num_hidden_layers" | "sliding_window_pattern">,
): readonly LayerType[] {
  const pattern = config.sliding_window_pattern;
  return config.layer_types ?? layerTypes(config.num_hidden_layers, (layer) => (layer + 1) % pattern !== 0);
}

/** A Gemma 3 from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function gemma3(input: ConfigInput): Model {
  const config = parseConfig(Gemma3Config, input),
    attention = typesOf(config).map((t) => attentionOf(config, t));
  return gemmaDecoder(input, config, {
    modelType: "gemma3_text",
    classifierName: "Gemma3TextForSequenceClassification",
    contextLength: contextLengthOf(config, attention.map(({ rope }) => rope)),
    attention,
    activation: { name: config.hidden_activation, field: "hidden_activation" },
    postNorms: true,
    queryKeyNorm: true,
    logitSoftcap: config.final_logit_softcapping ?? null,
  });
}

function attentionOf(config: Config, type: LayerType): AttentionSpec {
  // transformers 5 nests what version 4 spells as two fields
  const nested = config.rope_parameters?.[type] as RopeScaling;
  const own = nested === undefined ? config : { ...config, rope_parameters: nested };
  const rotation = type === "full_attention" || nested !== undefined
    ? own
    : { ...config, rope_theta: config.rope_local_base_freq, rope_scaling: null, rope_parameters: null };
  return {
    ...rotaryAttention(rotation, windowOf(type, config.sliding_window)),
    scale: 1 / Math.sqrt(config.query_pre_attn_scalar),
  };
}
