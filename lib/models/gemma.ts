/**
 * Gemma (Gemma Team 2024, arXiv:2403.08295). Fields and defaults are those of transformers' GemmaConfig: heads have 256
 * dimensions where the config does not say. As in transformers, `hidden_act` counts and `hidden_activation` does not.
 * @module
 */
import { z } from "zod";
import { gemmaDecoder } from "./gemma_parts.ts";
import type { Model } from "./model.ts";
import {
  absent,
  checkHeads,
  checkLikeLayers,
  type ConfigInput,
  LIKE_LAYERS,
  NO_SOFTCAP,
  parseConfig,
  positive,
  SIZES,
  WHOLE_ROTARY,
} from "./parse_config.ts";
import { rotaryAttention } from "./pre_norm_decoder.ts";
import { contextLengthOf } from "./rotary.ts";

const GemmaConfig = z.looseObject({
  ...SIZES,
  ...LIKE_LAYERS,
  ...NO_SOFTCAP,
  ...WHOLE_ROTARY,
  num_key_value_heads: positive.nullable().default(16),
  head_dim: positive.default(256),
  hidden_act: z.string().default("gelu_pytorch_tanh"),
  max_position_embeddings: positive.default(8192),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  attention_bias: z.boolean().default(false),
  mlp_bias: absent("its MLP has no bias"),
  tie_word_embeddings: z.boolean().default(true),
  use_bidirectional_attention: absent("attention must be causal"),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkLikeLayers(config, context, { windowed: false });
});

/** A Gemma from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function gemma(input: ConfigInput): Model {
  const config = parseConfig(GemmaConfig, input), attention = rotaryAttention(config, null);
  return gemmaDecoder(input, config, {
    modelType: "gemma",
    classifierName: "GemmaForSequenceClassification",
    contextLength: contextLengthOf(config, [attention.rope]),
    attention: new Array(config.num_hidden_layers).fill(attention),
    activation: { name: config.hidden_act, field: "hidden_act" },
    postNorms: false,
    queryKeyNorm: false,
    logitSoftcap: null,
  });
}
