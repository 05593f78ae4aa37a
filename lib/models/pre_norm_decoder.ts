/**
 * The plan that Llama, Mistral, Qwen and SmolLM share: RMS norms before attention and before a gated MLP, rotary
 * attention, no biases but where a family has them.
 * @module
 */
import { add, rmsNorm, type Value } from "@/lib/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { type AttentionBiases, attentionLayer, attentionParameters, perHead } from "./attention_layer.ts";
import { decoder } from "./decoder.ts";
import { gatedMlp, gatedMlpParameters } from "./gated_mlp.ts";
import type { AttentionSpec, Model, PartParameters } from "./model.ts";
import { type ConfigInput, headDimOf, type HeadSizes, kvHeadsOf } from "./parse_config.ts";
import { contextLengthOf, ropeOf, type RotaryConfig } from "./rotary.ts";

/** Fields that the plan reads. */
export interface PreNormConfig extends HeadSizes, RotaryConfig {
  readonly vocab_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly hidden_act: string;
  readonly rms_norm_eps: number;
  readonly tie_word_embeddings: boolean;
}

/** What a family adds to the plan. */
export interface PreNormParts {
  readonly modelType: string;
  readonly classifierName: string;
  /** one per layer */
  readonly attention: readonly AttentionSpec[];
  readonly biases: AttentionBiases & { readonly mlp: boolean };
  /** q and k are RMS-normalised per head (Henry et al. 2020, arXiv:2010.04245) */
  readonly queryKeyNorm?: boolean;
}

/** Attention of a layer that rotates whole heads and scales by 1/√D. */
export function rotaryAttention(config: HeadSizes & RotaryConfig, window: number | null): AttentionSpec {
  const headDim = headDimOf(config);
  return {
    heads: config.num_attention_heads,
    kvHeads: kvHeadsOf(config),
    headDim,
    scale: 1 / Math.sqrt(headDim),
    softcap: null,
    window,
    rope: ropeOf(config, headDim),
  };
}

/** The same attention in every layer. */
export function uniformLayers(
  config: PreNormConfig,
  { window }: { readonly window: number | null },
): AttentionSpec[] {
  return new Array(config.num_hidden_layers).fill(rotaryAttention(config, window));
}

/** A model of this plan. @throws {DataError} if the activation is not known */
export function preNormDecoder(input: ConfigInput, config: PreNormConfig, parts: PreNormParts): Model {
  const { hidden_size: width, rms_norm_eps: epsilon } = config, { biases, attention } = parts;
  const act = activation(config.hidden_act), norm = (x: Value, weight: Value) => rmsNorm(x, weight, epsilon);
  const parameters = (spec: AttentionSpec, layer: number): PartParameters => {
    const at = `model.layers.${layer}.`;
    return {
      attentionNorm: { name: `${at}input_layernorm.weight`, shape: [width] },
      ...attentionParameters(`${at}self_attn.`, spec, width, biases),
      ...(parts.queryKeyNorm
        ? {
          queryNorm: { name: `${at}self_attn.q_norm.weight`, shape: [spec.headDim] },
          keyNorm: { name: `${at}self_attn.k_norm.weight`, shape: [spec.headDim] },
        }
        : {}),
      mlpNorm: { name: `${at}post_attention_layernorm.weight`, shape: [width] },
      ...gatedMlpParameters(`${at}mlp.`, config, biases.mlp),
    };
  };
  const table = { name: "model.embed_tokens.weight", shape: [config.vocab_size, width] };
  return decoder(input, {
    modelType: parts.modelType,
    classifierName: parts.classifierName,
    contextLength: contextLengthOf(config, attention.map(({ rope }) => rope)),
    prefix: "model.",
    embeddings: [{ parameter: table, index: "token", factor: 1 }],
    layers: attention.map((spec, layer) => ({ attention: spec, parameters: parameters(spec, layer) })),
    applyBlock({ attention: spec }, p, x, context) {
      const queryKeyNorm = parts.queryKeyNorm
        ? {
          query: (q: Value) => perHead(q, spec.headDim, (heads) => norm(heads, p.queryNorm!)),
          key: (k: Value) => perHead(k, spec.headDim, (heads) => norm(heads, p.keyNorm!)),
        }
        : undefined;
      const middle = add(x, attentionLayer(p, norm(x, p.attentionNorm!), spec, context, queryKeyNorm));
      return add(middle, gatedMlp(p, act, norm(middle, p.mlpNorm!)));
    },
    finalNorm: { norm: { name: "model.norm.weight", shape: [width] } },
    normalise: (p, x) => norm(x, p.norm!),
    outputName: "lm_head.weight",
    tied: config.tie_word_embeddings,
  });
}
