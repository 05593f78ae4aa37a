/**
 * Gemma (Gemma Team 2024, arXiv:2403.08295), Gemma 2 (2024, arXiv:2408.00118) and Gemma 3, text (2025,
 * arXiv:2503.19786): RMS norms by 1 + w, token embeddings times √C. Fields and defaults are those of transformers'
 * GemmaConfig, Gemma2Config and Gemma3TextConfig; the model type of Gemma 3's text model is `gemma3_text`.
 * @module
 */
import { z } from "zod";
import {
  absent,
  checkHeads,
  checkUniformLayers,
  checkWindows,
  LAYER_TYPES,
  layerWindows,
  parseConfig,
  positive,
  RMS_FIELDS,
  UNIFORM_LAYERS,
  type Windows,
} from "./config_fields.ts";
import type { ConfigInput, Family } from "./family.ts";
import type { AttentionSpec, Model } from "./model.ts";
import { type RmsConfig, rmsDecoder, type RmsParts, rotaryAttention } from "./rms_decoder.ts";
import type { RopeScaling } from "./rope_frequencies.ts";

const FIELDS = {
  ...RMS_FIELDS,
  head_dim: positive.default(256),
  max_position_embeddings: positive.default(8192),
  attention_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  use_bidirectional_attention: absent("attention must be causal"),
};

const GemmaConfig = z.looseObject({
  ...FIELDS,
  ...UNIFORM_LAYERS,
  num_key_value_heads: positive.nullable().default(16),
  // As in transformers, `hidden_activation` is ignored.
  hidden_act: z.string().default("gelu_pytorch_tanh"),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkUniformLayers(config, context);
});

const NEWER_FIELDS = {
  ...FIELDS,
  ...LAYER_TYPES,
  num_key_value_heads: positive.nullable().default(4),
  hidden_act: z.unknown().optional(),
  hidden_activation: z.string().default("gelu_pytorch_tanh"),
  query_pre_attn_scalar: z.number().positive().default(256),
  sliding_window: positive.nullable().default(4096),
};

const cap = z.number().positive().nullable();
const Gemma2Config = z.looseObject({
  ...NEWER_FIELDS,
  attn_logit_softcapping: cap.default(50),
  final_logit_softcapping: cap.default(30),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkWindows(gemma2Windows(config), config, context);
});

const Gemma3Config = z.looseObject({
  ...NEWER_FIELDS,
  rope_theta: z.number().positive().default(1000000),
  rope_local_base_freq: z.number().positive().default(10000),
  max_position_embeddings: positive.default(131072),
  /** one layer in `sliding_window_pattern` has no window: the older form of `layer_types` */
  sliding_window_pattern: positive.default(6),
  attn_logit_softcapping: z.null("must be null: Gemma 3 has no soft cap on attention").optional(),
  final_logit_softcapping: cap.nullish(),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkWindows(gemma3Windows(config), config, context);
});

type LayerFields = Pick<
  z.output<z.ZodObject<typeof NEWER_FIELDS>>,
  "layer_types" | "num_hidden_layers" | "sliding_window"
>;

function gemma2Windows(config: LayerFields): Windows {
  return layerWindows(config, config.sliding_window, (layer) => layer % 2 === 0);
}

function gemma3Windows(config: LayerFields & { readonly sliding_window_pattern: number }): Windows {
  const pattern = config.sliding_window_pattern;
  return layerWindows(config, config.sliding_window, (layer) => (layer + 1) % pattern !== 0);
}

/** Layers with a window have another rotation; transformers 5 nests the fields of both. */
function gemma3Attention(
  config: z.output<typeof Gemma3Config>,
  window: number | null | undefined,
): AttentionSpec {
  const type = window === null ? "full_attention" : "sliding_attention";
  const nested = config.rope_parameters?.[type] as RopeScaling;
  const local = { rope_theta: config.rope_local_base_freq, rope_scaling: null, rope_parameters: null };
  const rotation = nested !== undefined ? { rope_parameters: nested } : window === null ? {} : local;
  return {
    ...rotaryAttention({ ...config, ...rotation }, window),
    scale: 1 / Math.sqrt(config.query_pre_attn_scalar),
  };
}

function gemmaDecoder(
  input: ConfigInput,
  config: RmsConfig & { readonly attention_bias: boolean },
  parts: RmsParts,
): Model {
  const bias = config.attention_bias;
  return rmsDecoder(input, config, {
    ...parts,
    biases: { qkv: bias, o: bias },
    normOffset: 1,
    embeddingFactor: Math.fround(Math.sqrt(config.hidden_size)), // rounded to float32, as in transformers
  });
}

/** The family `gemma`. */
export const gemma: Family = {
  className: "Gemma",
  features: "RMSNorm multiplies by 1 + weight; embeddings are multiplied by √hidden_size",
  rejected: "sliding windows, MLP biases, bidirectional attention",
  build(input) {
    const config = parseConfig(GemmaConfig, input);
    return gemmaDecoder(input, config, {
      attention: new Array(config.num_hidden_layers).fill(rotaryAttention(config, null)),
      activation: { name: config.hidden_act },
    });
  },
};

/** The family `gemma2`. */
export const gemma2: Family = {
  className: "Gemma2",
  features:
    "four norms per block, softcapping of attention scores and logits, sliding window in every other layer, `query_pre_attn_scalar`",
  rejected: "MLP biases, bidirectional attention",
  build(input) {
    const config = parseConfig(Gemma2Config, input);
    return gemmaDecoder(input, config, {
      attention: gemma2Windows(config).map((window) => ({
        ...rotaryAttention(config, window),
        scale: 1 / Math.sqrt(config.query_pre_attn_scalar),
        softcap: config.attn_logit_softcapping,
      })),
      activation: { name: config.hidden_activation, field: "hidden_activation" },
      norms: "both",
      logitSoftcap: config.final_logit_softcapping,
    });
  },
};

/** The family `gemma3_text`. */
export const gemma3: Family = {
  className: "Gemma3Text",
  features:
    "q and k normalised per head; sliding windows by `layer_types` or `sliding_window_pattern`, with another RoPE θ in these layers (`rope_local_base_freq`)",
  rejected: "`attn_logit_softcapping`, bidirectional attention, `gemma3` with images",
  build(input) {
    const config = parseConfig(Gemma3Config, input);
    return gemmaDecoder(input, config, {
      attention: gemma3Windows(config).map((window) => gemma3Attention(config, window)),
      activation: { name: config.hidden_activation, field: "hidden_activation" },
      norms: "both",
      queryKeyNorm: "head",
      logitSoftcap: config.final_logit_softcapping ?? null,
    });
  },
};
