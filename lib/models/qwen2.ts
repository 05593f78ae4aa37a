/**
 * Qwen 2 and 2.5 (Yang et al. 2024, arXiv:2407.10671): Llama's plan with biases on q, k and v, and a sliding window in the
 * upper layers where it is switched on. Fields and defaults are those of transformers' Qwen2Config.
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

const Qwen2Config = z.looseObject({
  ...SIZES,
  ...NO_SOFTCAP,
  ...WHOLE_ROTARY,
  ...QWEN_WINDOW,
  num_key_value_heads: positive.nullable().default(32),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(32768),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  mlp_bias: absent("its MLP has no bias"),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkQwenLayers(config, context);
});

/** A Qwen 2 from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function qwen2(input: ConfigInput): Model {
  const config = parseConfig(Qwen2Config, input);
  return preNormDecoder(input, config, {
    modelType: "qwen2",
    classifierName: "Qwen2ForSequenceClassification",
    attention: qwenWindows(config).map((window) => rotaryAttention(config, window)),
    biases: { qkv: true, o: false, mlp: false },
  });
}
