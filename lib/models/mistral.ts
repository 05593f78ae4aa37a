/**
 * Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama's plan with a sliding window in every layer. Fields and defaults
 * are those of transformers' MistralConfig.
 * @module
 */
import { z } from "zod";
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
import { preNormDecoder, uniformLayers } from "./pre_norm_decoder.ts";

const MistralConfig = z.looseObject({
  ...SIZES,
  ...LIKE_LAYERS,
  ...NO_SOFTCAP,
  ...WHOLE_ROTARY,
  num_key_value_heads: positive.nullable().default(8),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(131072),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  sliding_window: positive.nullable().default(4096),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: absent("its projections have no bias"),
  mlp_bias: absent("its projections have no bias"),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkLikeLayers(config, context, { windowed: true });
});

/** A Mistral from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function mistral(input: ConfigInput): Model {
  const config = parseConfig(MistralConfig, input);
  return preNormDecoder(input, config, {
    modelType: "mistral",
    classifierName: "MistralForSequenceClassification",
    attention: uniformLayers(config, { window: config.sliding_window }),
    biases: { qkv: false, o: false, mlp: false },
  });
}
