/**
 * Qwen 2 and 2.5 (Yang et al. 2024, arXiv:2407.10671): Llama with biases on q, k and v, and a sliding window in the
 * upper layers if it is enabled. Qwen 3 (Yang et al. 2025, arXiv:2505.09388) has normalised queries and keys instead of
 * biases. Fields and defaults are those of transformers' Qwen2Config and Qwen3Config.
 * @module
 */
import { z } from "zod";
import {
  checkHeads,
  checkWindows,
  LAYER_TYPES,
  layerWindows,
  parseConfig,
  positive,
  RMS_FIELDS,
  type Windows,
} from "./config_fields.ts";
import type { Family } from "./family.ts";
import { rmsDecoder, rotaryAttention } from "./rms_decoder.ts";

const FIELDS = {
  ...RMS_FIELDS,
  ...LAYER_TYPES,
  num_key_value_heads: positive.nullable().default(32),
  max_position_embeddings: positive.default(32768),
  use_sliding_window: z.boolean().default(false),
  sliding_window: positive.nullable().default(4096),
  max_window_layers: z.int().nonnegative().default(28),
};
type Config = z.output<z.ZodObject<typeof FIELDS>>;

/** `sliding_window` is used only if `use_sliding_window` is true; older configs have no `layer_types`. */
function windowsOf(config: Config): Windows {
  const window = config.use_sliding_window ? config.sliding_window : null;
  return layerWindows(config, window, (layer) => window !== null && layer >= config.max_window_layers);
}

function check(config: Config, context: z.RefinementCtx): void {
  checkHeads(config, context);
  checkWindows(windowsOf(config), config, context);
}

const Qwen2Config = z.looseObject(FIELDS).superRefine(check);
const Qwen3Config = z.looseObject({
  ...FIELDS,
  head_dim: positive.default(128),
  attention_bias: z.boolean().default(false),
}).superRefine(check);

/** The family `qwen2`. */
export const qwen2: Family = {
  className: "Qwen2",
  features:
    "biases on q, k and v; if `use_sliding_window` is true, sliding windows by `layer_types`, or from layer `max_window_layers` on",
  rejected: "MLP biases, layer types other than sliding and full attention",
  build(input) {
    const config = parseConfig(Qwen2Config, input);
    return rmsDecoder(input, config, {
      attention: windowsOf(config).map((window) => rotaryAttention(config, window)),
      activation: { name: config.hidden_act },
      biases: { qkv: true },
    });
  },
};

/** The family `qwen3`. */
export const qwen3: Family = {
  className: "Qwen3",
  features: "q and k normalised per head; optional attention biases; sliding windows as in `qwen2`",
  rejected: "as `qwen2`; mixture of experts",
  build(input) {
    const config = parseConfig(Qwen3Config, input), bias = config.attention_bias;
    return rmsDecoder(input, config, {
      attention: windowsOf(config).map((window) => rotaryAttention(config, window)),
      activation: { name: config.hidden_act },
      biases: { qkv: bias, o: bias },
      queryKeyNorm: "head",
    });
  },
};
