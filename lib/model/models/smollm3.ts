/**
 * SmolLM 3: Llama with some layers that have no positions (Yang et al. 2025, arXiv:2501.18795). Fields and defaults are
 * those of transformers' SmolLM3Config.
 * @module
 */
import { z } from "zod";
import {
  addIssue,
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
  rope_theta: z.number().positive().default(2000000),
  num_key_value_heads: positive.nullable().default(4),
  max_position_embeddings: positive.default(32768),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  use_sliding_window: z.boolean().default(false),
  no_rope_layers: z.array(z.union([z.literal(0), z.literal(1), z.boolean()], "must be 0 or 1")).nullish(),
  no_rope_layer_interval: positive.default(4),
};
type Config = z.output<z.ZodObject<typeof FIELDS>>;

const SmolLM3Config = z.looseObject(FIELDS).superRefine((config, context) => {
  checkHeads(config, context);
  checkWindows(windowsOf(config), config, context);
  const layers = config.num_hidden_layers, { length } = rotatedLayers(config);
  if (length !== layers) {
    addIssue(context, "no_rope_layers", `must have one entry per layer (${layers}), got ${length}`);
  }
});

/** Returns for every layer whether it rotates: entries of `no_rope_layers` are 1 for layers that do, despite its name. */
function rotatedLayers(config: Config): readonly (0 | 1 | boolean)[] {
  const { num_hidden_layers: length, no_rope_layer_interval: interval } = config;
  return config.no_rope_layers ?? Array.from({ length }, (_, layer) => (layer + 1) % interval !== 0);
}

/** Without `layer_types`, the layers without rotation have the window. */
function windowsOf(config: Config): Windows {
  const { sliding_window: window } = config, rotated = rotatedLayers(config);
  const slides = (layer: number) =>
    config.use_sliding_window && typeof window === "number" && !rotated[layer];
  return layerWindows(config, window, slides);
}

/** The family `smollm3`. */
export const smollm3: Family = {
  className: "SmolLM3",
  features:
    "layers without RoPE (`no_rope_layers`, `no_rope_layer_interval`); sliding windows; optional attention and MLP biases",
  rejected: "layer types other than sliding and full attention",
  build(input) {
    const config = parseConfig(SmolLM3Config, input), bias = config.attention_bias;
    const rotated = rotatedLayers(config);
    return rmsDecoder(input, config, {
      attention: windowsOf(config).map((window, layer) => ({
        ...rotaryAttention(config, window),
        ...(rotated[layer] ? {} : { rope: null }),
      })),
      activation: { name: config.hidden_act },
      biases: { qkv: bias, o: bias, mlp: config.mlp_bias },
    });
  },
};
