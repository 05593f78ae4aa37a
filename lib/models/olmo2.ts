/**
 * OLMo 2 (OLMo Team 2025, arXiv:2501.00656): norms after the sublayers instead of before them, queries and keys
 * normalised over all heads together. Fields and defaults are those of transformers' Olmo2Config.
 * @module
 */
import { z } from "zod";
import { add, rmsNorm, type Value } from "@/lib/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { attentionLayer, attentionParameters } from "./attention_layer.ts";
import { decoder } from "./decoder.ts";
import { gatedMlp, gatedMlpParameters } from "./gated_mlp.ts";
import type { Model, PartParameters } from "./model.ts";
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
import { rotaryAttention } from "./pre_norm_decoder.ts";
import { contextLengthOf } from "./rotary.ts";

const Olmo2Config = z.looseObject({
  ...SIZES,
  ...LIKE_LAYERS,
  ...NO_SOFTCAP,
  ...WHOLE_ROTARY,
  num_key_value_heads: positive.nullish(),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(2048),
  rms_norm_eps: z.number().nonnegative().default(1e-5),
  attention_bias: z.boolean().default(false),
  mlp_bias: absent("its MLP has no bias"),
  tie_word_embeddings: z.boolean().default(false),
}).superRefine((config, context) => {
  checkHeads(config, context);
  checkLikeLayers(config, context, { windowed: false });
});

/** An OLMo 2 from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function olmo2(input: ConfigInput): Model {
  const config = parseConfig(Olmo2Config, input), { hidden_size: width, attention_bias: bias } = config;
  const attention = rotaryAttention(config, null), { heads, kvHeads, headDim } = attention;
  const act = activation(config.hidden_act);
  const norm = (x: Value, weight: Value) => rmsNorm(x, weight, config.rms_norm_eps);
  const parameters = (layer: number): PartParameters => {
    const at = `model.layers.${layer}.`;
    return {
      ...attentionParameters(`${at}self_attn.`, attention, width, { qkv: bias, o: bias }),
      queryNorm: { name: `${at}self_attn.q_norm.weight`, shape: [heads * headDim] },
      keyNorm: { name: `${at}self_attn.k_norm.weight`, shape: [kvHeads * headDim] },
      afterAttention: { name: `${at}post_attention_layernorm.weight`, shape: [width] },
      ...gatedMlpParameters(`${at}mlp.`, config),
      afterMlp: { name: `${at}post_feedforward_layernorm.weight`, shape: [width] },
    };
  };
  const table = { name: "model.embed_tokens.weight", shape: [config.vocab_size, width] };
  return decoder(input, {
    modelType: "olmo2",
    classifierName: "Olmo2ForSequenceClassification",
    contextLength: contextLengthOf(config, [attention.rope]),
    prefix: "model.",
    embeddings: [{ parameter: table, index: "token", factor: 1 }],
    layers: Array.from({ length: config.num_hidden_layers }, (_, layer) => ({
      attention,
      parameters: parameters(layer),
    })),
    applyBlock({ attention: spec }, p, x, context) {
      const mixed = attentionLayer(p, x, spec, context, {
        query: (q) => norm(q, p.queryNorm!),
        key: (k) => norm(k, p.keyNorm!),
      });
      const middle = add(x, norm(mixed, p.afterAttention!));
      return add(middle, norm(gatedMlp(p, act, middle), p.afterMlp!));
    },
    finalNorm: { norm: { name: "model.norm.weight", shape: [width] } },
    normalise: (p, x) => norm(x, p.norm!),
    outputName: "lm_head.weight",
    tied: config.tie_word_embeddings,
  });
}
