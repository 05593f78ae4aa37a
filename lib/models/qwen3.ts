/**
 * Qwen 3 (Yang et al. 2025, arXiv:2505.09388): Qwen 2 with normalised queries and keys instead of biases. Fields and
 * defaults are those of transformers' Qwen3Config; heads have 128 dimensions where the config does not say.
 * @module
 */
import { z } from "zod";
import type { Model } from "./model.ts";
import {
  absent,
  checkHeads,
  type ConfigInput,
  NO_SOFTCAP,
  parseConfig,
  positive,
  SIZES,
  WHOLE_ROTARY,
} from "./parse_config.ts";
import { preNormDecoder, rotaryAttention } from "./pre_norm_decoder.ts";
import { checkQwenLayers, QWEN_WINDOW, qwenWindows } from "./qwen_windows.ts";

const Qwen3Config = z.looseObject({
  ...SIZES,
  ...NO_SOFTCAP,
  ...WHOLE_ROTARY,
  ...QWEN_WINDOW,
  num_key_value_heads: positive.nullable().default(32),
  head_dim: positive.default(128),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(32768),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  attention_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
  mlp_bias: absent("its MLP has no bias"),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkQwenLayers(config, context);
});

/** A Qwen 3 from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function qwen3(input: ConfigInput): Model {
  const config = parseConfig(Qwen3Config, input), bias = config.attention_bias;
  return preNormDecoder(input, config, {
    modelType: "qwen3",
    classifierName: "Qwen3ForSequenceClassification",
    attention: qwenWindows(config).map((window) => rotaryAttention(config, window)),
    biases: { qkv: bias, o: bias, mlp: false },
    queryKeyNorm: true,
  });
}
