/**
 * Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama with a sliding window in every layer. Fields and defaults are
 * those of transformers' MistralConfig.
 * @module
 */
import { z } from "zod";
import {
  absent,
  checkHeads,
  checkUniformLayers,
  parseConfig,
  positive,
  RMS_FIELDS,
  UNIFORM_LAYERS,
} from "./config_fields.ts";
import type { Family } from "./family.ts";
import { rmsDecoder, rotaryAttention } from "./rms_decoder.ts";

const MistralConfig = z.looseObject({
  ...RMS_FIELDS,
  ...UNIFORM_LAYERS,
  num_key_value_heads: positive.nullable().default(8),
  max_position_embeddings: positive.default(131072),
  sliding_window: positive.nullable().default(4096),
  attention_bias: absent("its projections have no bias"),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkUniformLayers(config, context, { windowed: true });
});

/** The family `mistral`. */
export const mistral: Family = {
  className: "Mistral",
  features: "a sliding window in every layer, or in none",
  rejected: "biases, `layer_types` that differ between layers",
  build(input) {
    const config = parseConfig(MistralConfig, input);
    return rmsDecoder(input, config, {
      attention: new Array(config.num_hidden_layers).fill(rotaryAttention(config, config.sliding_window)),
      activation: { name: config.hidden_act },
    });
  },
};
