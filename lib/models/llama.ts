/**
 * Llama (Touvron et al. 2023, arXiv:2302.13971; Llama 3: arXiv:2407.21783): pre-norm blocks of rotary grouped-query
 * attention and a gated MLP. Fields and defaults are those of transformers' LlamaConfig, but for the sizes of the network:
 * a config without them is a broken one, not a Llama of 7 billion parameters.
 * @module
 */
import { z } from "zod";
import type { Model } from "./model.ts";
import {
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
import { preNormDecoder, uniformLayers } from "./pre_norm_decoder.ts";

const LlamaConfig = z.looseObject({
  ...SIZES,
  ...LIKE_LAYERS,
  ...NO_SOFTCAP,
  ...WHOLE_ROTARY,
  num_key_value_heads: positive.nullish(),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(2048),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
  pretraining_tp: z.literal(1, "must be 1: split products are not supported").default(1),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkLikeLayers(config, context, { windowed: false });
});

/** A Llama from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function llama(input: ConfigInput): Model {
  const config = parseConfig(LlamaConfig, input), bias = config.attention_bias;
  return preNormDecoder(input, config, {
    modelType: "llama",
    classifierName: "LlamaForSequenceClassification",
    attention: uniformLayers(config, { window: null }),
    biases: { qkv: bias, o: bias, mlp: config.mlp_bias },
  });
}
