/**
 * Llama (Touvron et al. 2023, arXiv:2302.13971; Llama 3: arXiv:2407.21783). Fields and defaults are those of
 * transformers' LlamaConfig, except that sizes of the network have no default.
 * @module
 */
import { z } from "zod";
import { checkHeads, checkUniformLayers, parseConfig, RMS_FIELDS, UNIFORM_LAYERS } from "./config_fields.ts";
import type { Family } from "./family.ts";
import { rmsDecoder, rotaryAttention } from "./rms_decoder.ts";

const LlamaConfig = z.looseObject({
  ...RMS_FIELDS,
  ...UNIFORM_LAYERS,
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  pretraining_tp: z.literal(1, "must be 1: split products are not supported").default(1),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkUniformLayers(config, context);
});

/** The family `llama`. */
export const llama: Family = {
  className: "Llama",
  features:
    "grouped-query, multi-query or multi-head attention; any `head_dim`; optional attention and MLP biases; tied or untied output layer",
  rejected: "`pretraining_tp` above 1, a sliding window shorter than the context, partial RoPE",
  build(input) {
    const config = parseConfig(LlamaConfig, input), bias = config.attention_bias;
    return rmsDecoder(input, config, {
      attention: new Array(config.num_hidden_layers).fill(rotaryAttention(config, null)),
      activation: { name: config.hidden_act },
      biases: { qkv: bias, o: bias, mlp: config.mlp_bias },
    });
  },
};
