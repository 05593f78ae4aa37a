/**
 * OLMo 2 (OLMo Team 2025, arXiv:2501.00656): norms after the sublayers instead of before them, queries and keys
 * normalised over all heads together. Fields and defaults are those of transformers' Olmo2Config.
 * @module
 */
import { z } from "zod";
import { checkHeads, checkUniformLayers, parseConfig, RMS_FIELDS, UNIFORM_LAYERS } from "./config_fields.ts";
import type { Family } from "./family.ts";
import { rmsDecoder, rotaryAttention } from "./rms_decoder.ts";

const Olmo2Config = z.looseObject({
  ...RMS_FIELDS,
  ...UNIFORM_LAYERS,
  rms_norm_eps: z.number().nonnegative().default(1e-5),
  attention_bias: z.boolean().default(false),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkUniformLayers(config, context);
});

/** The family `olmo2`. */
export const olmo2: Family = {
  className: "Olmo2",
  features:
    "norms after attention and MLP, q and k normalised over all heads together, optional attention biases",
  rejected: "sliding windows, MLP biases",
  build(input) {
    const config = parseConfig(Olmo2Config, input), bias = config.attention_bias;
    return rmsDecoder(input, config, {
      attention: new Array(config.num_hidden_layers).fill(rotaryAttention(config, null)),
      activation: { name: config.hidden_act },
      biases: { qkv: bias, o: bias },
      norms: "after",
      queryKeyNorm: "all",
    });
  },
};
