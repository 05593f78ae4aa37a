/**
 * What the Gemmas share (Gemma Team 2024, arXiv:2403.08295, arXiv:2408.00118; 2025, arXiv:2503.19786): RMS norms by 1 + w,
 * token embeddings times √C, an output that is tied unless the config says otherwise, and from the second on norms after
 * the sublayers too.
 * @module
 */
import { add, rmsNorm, type Value } from "@/lib/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { attentionLayer, attentionParameters, perHead } from "./attention_layer.ts";
import { decoder } from "./decoder.ts";
import { gatedMlp, gatedMlpParameters } from "./gated_mlp.ts";
import type { AttentionSpec, Block, BlockContext, Model, PartParameters, PartValues } from "./model.ts";
import type { ConfigInput } from "./parse_config.ts";

/** Fields that all of them read. */
export interface GemmaConfig {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly rms_norm_eps: number;
  readonly attention_bias: boolean;
  readonly tie_word_embeddings: boolean;
}

/** What tells them apart. */
export interface GemmaParts {
  readonly modelType: string;
  readonly classifierName: string;
  readonly contextLength: number;
  /** one per layer */
  readonly attention: readonly AttentionSpec[];
  readonly activation: { readonly name: string; readonly field: string };
  /** norms after attention and after the MLP, before they are added */
  readonly postNorms: boolean;
  /** q and k are normalised per head */
  readonly queryKeyNorm: boolean;
  readonly logitSoftcap: number | null;
}

/** √C rounded to the type that is computed in, as transformers does. */
function embeddingFactor(width: number): number {
  return Math.fround(Math.sqrt(width));
}

/** A Gemma. @throws {DataError} if the activation is not known */
export function gemmaDecoder(input: ConfigInput, config: GemmaConfig, parts: GemmaParts): Model {
  const { hidden_size: width, rms_norm_eps: epsilon } = config;
  const act = activation(parts.activation.name, parts.activation.field);
  const norm = (x: Value, weight: Value) => rmsNorm(x, add(weight, 1), epsilon);
  const table = { name: "model.embed_tokens.weight", shape: [config.vocab_size, width] };
  return decoder(input, {
    neutralNorm: 0,
    modelType: parts.modelType,
    classifierName: parts.classifierName,
    contextLength: parts.contextLength,
    prefix: "model.",
    embeddings: [{ parameter: table, index: "token", factor: embeddingFactor(width) }],
    layers: parts.attention.map((attention, layer) => ({
      attention,
      parameters: blockParameters(config, parts, attention, layer),
    })),
    applyBlock({ attention: spec }: Block, p: PartValues, x: Value, context: BlockContext) {
      const after = (value: Value, weight: Value | undefined) => weight ? norm(value, weight) : value;
      const queryKeyNorm = {
        query: (q: Value) => perHead(q, spec.headDim, (heads) => norm(heads, p.queryNorm!)),
        key: (k: Value) => perHead(k, spec.headDim, (heads) => norm(heads, p.keyNorm!)),
      };
      const mixed = attentionLayer(
        p,
        norm(x, p.attentionNorm!),
        spec,
        context,
        parts.queryKeyNorm ? queryKeyNorm : undefined,
      );
      const middle = add(x, after(mixed, p.afterAttention));
      return add(middle, after(gatedMlp(p, act, norm(middle, p.mlpNorm!)), p.afterMlp));
    },
    finalNorm: { norm: { name: "model.norm.weight", shape: [width] } },
    normalise: (p, x) => norm(x, p.norm!),
    outputName: "lm_head.weight",
    tied: config.tie_word_embeddings,
    logitSoftcap: parts.logitSoftcap,
  });
}

function blockParameters(
  config: GemmaConfig,
  { postNorms, queryKeyNorm }: GemmaParts,
  spec: AttentionSpec,
  layer: number,
): PartParameters {
  const { hidden_size: width, attention_bias: bias } = config, at = `model.layers.${layer}.`;
  const norm = (local: string, module: string, size = width) => ({
    [local]: { name: `${at}${module}.weight`, shape: [size] },
  });
  return {
    ...norm("attentionNorm", "input_layernorm"),
    ...attentionParameters(`${at}self_attn.`, spec, width, { qkv: bias, o: bias }),
    ...(queryKeyNorm ? norm("queryNorm", "self_attn.q_norm", spec.headDim) : {}),
    ...(queryKeyNorm ? norm("keyNorm", "self_attn.k_norm", spec.headDim) : {}),
    ...(postNorms ? norm("afterAttention", "post_attention_layernorm") : {}),
    // with norms on both sides the one before the MLP has a name of its own
    ...norm("mlpNorm", postNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm"),
    ...gatedMlpParameters(`${at}mlp.`, config),
    ...(postNorms ? norm("afterMlp", "post_feedforward_layernorm") : {}),
  };
}
