/**
 * SmolLM 3: Llama's plan in which every few layers have no positions at all (Yang et al. 2025, arXiv:2501.18795). Fields
 * and defaults are those of transformers' SmolLM3Config; the output is tied unless the config says otherwise.
 * @module
 */
import { z } from "zod";
import { checkLayerTypes, LAYER_TYPES, type LayerType, layerTypes, windowOf } from "./layer_types.ts";
import type { Model } from "./model.ts";
import {
  checkHeads,
  type ConfigInput,
  NO_SOFTCAP,
  parseConfig,
  positive,
  SIZES,
  WHOLE_ROTARY,
} from "./parse_config.ts";
import { preNormDecoder, rotaryAttention } from "./pre_norm_decoder.ts";

const SmolLM3Config = z.looseObject({
  ...SIZES,
  ...NO_SOFTCAP,
  ...WHOLE_ROTARY,
  ...LAYER_TYPES,
  rope_theta: z.number().positive().default(2000000),
  num_key_value_heads: positive.nullable().default(4),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(32768),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  use_sliding_window: z.boolean().default(false),
  no_rope_layers: z.array(z.union([z.literal(0), z.literal(1), z.boolean()], "must be 0 or 1")).nullish(),
  no_rope_layer_interval: positive.default(4),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkLayerTypes(typesOf(config), config, context);
  const rotated = rotatedLayers(config).length;
  if (rotated !== config.num_hidden_layers) {
    const message = `must have one entry per layer, ${config.num_hidden_layers}: ${rotated}`;
    context.addIssue({ code: "custom", path: ["no_rope_layers"], message });
  }
});

interface LayerConfig {
  readonly num_hidden_layers: number;
  readonly layer_types?: readonly LayerType[] | null | undefined;
  readonly use_sliding_window: boolean;
  readonly sliding_window?: number | null | undefined;
  readonly no_rope_layers?: readonly (0 | 1 | boolean)[] | null | undefined;
  readonly no_rope_layer_interval: number;
}

/** 1 where a layer rotates, in spite of the field's name. */
function rotatedLayers(config: LayerConfig): readonly (0 | 1 | boolean)[] {
  const { num_hidden_layers: length, no_rope_layer_interval: interval } = config;
  return config.no_rope_layers ?? Array.from({ length }, (_, layer) => (layer + 1) % interval !== 0);
}

/** Layers without rotation have the window, where there is one. */
function typesOf(config: LayerConfig): readonly LayerType[] {
  const rotated = rotatedLayers(config), window = config.use_sliding_window ? config.sliding_window : null;
  return config.layer_types ??
    layerTypes(config.num_hidden_layers, (layer) => typeof window === "number" && !rotated[layer]);
}

/** A SmolLM 3 from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function smollm3(input: ConfigInput): Model {
  const config = parseConfig(SmolLM3Config, input), bias = config.attention_bias;
  const rotated = rotatedLayers(config);
  return preNormDecoder(input, config, {
    modelType: "smollm3",
    classifierName: "SmolLM3ForSequenceClassification",
    attention: typesOf(config).map((type, layer) => {
      const spec = rotaryAttention(config, windowOf(type, config.sliding_window));
      return rotated[layer] ? spec : { ...spec, rope: null };
    }),
    biases: { qkv: bias, o: bias, mlp: config.mlp_bias },
  });
}
