/**
 * Gemma 2 (Gemma Team 2024, arXiv:2408.00118): four norms per block, soft caps on attention scores and logits, every
 * other layer with a sliding window. Fields and defaults are those of transformers' Gemma2Config.
 * @module
 */
import { z } from "zod";
import { gemmaDecoder } from "./gemma_parts.ts";
import { checkLayerTypes, LAYER_TYPES, type LayerType, layerTypes, windowOf } from "./layer_types.ts";
import type { Model } from "./model.ts";
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
import { contextLengthOf } from "./rotary.ts";

const cap = z.number().positive().nullable();

const Gemma2Config = z.looseObject({
  ...SIZES,
  ...WHOLE_ROTARY,
  ...LAYER_TYPES,
  num_key_value_heads: positive.nullable().default(4),
  head_dim: positive.default(256),
  hidden_activation: z.string().default("gelu_pytorch_tanh"),
  max_position_embeddings: positive.default(8192),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  attention_bias: z.boolean().default(false),
  mlp_bias: absent("its MLP has no bias"),
  tie_word_embeddings: z.boolean().default(true),
  query_pre_attn_scalar: z.number().positive().default(256),
  sliding_window: positive.nullable().default(4096),
  attn_logit_softcapping: cap.default(50),
  final_logit_softcapping: cap.default(30),
  use_bidirectional_attention: absent("attention must be causal"),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkLayerTypes(typesOf(config), config, context);
});

type LayerConfig = Pick<z.output<typeof Gemma2Config>, "layer_types" | "num_hidden_layers">;

/** Windows in the first, third … layer, where the config does not say. */
function typesOf({ layer_types, num_hidden_layers }: LayerConfig): readonly LayerType[] {
  return layer_types ?? layerTypes(num_hidden_layers, (layer) => layer % 2 === 0);
}

/** A Gemma 2 from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function gemma2(input: ConfigInput): Model {
  const config = parseConfig(Gemma2Config, input);
  const attention = typesOf(config).map((type) => ({
    ...rotaryAttention(config, windowOf(type, config.sliding_window)),
    scale: 1 / Math.sqrt(config.query_pre_attn_scalar),
    softcap: config.attn_logit_softcapping,
  }));
  return gemmaDecoder(input, config, {
    modelType: "gemma2",
    classifierName: "Gemma2ForSequenceClassification",
    contextLength: contextLengthOf(config, attention.map(({ rope }) => rope)),
    attention,
    activation: { name: config.hidden_activation, field: "hidden_activation" },
    postNorms: true,
    queryKeyNorm: false,
    logitSoftcap: config.final_logit_softcapping,
  });
}
