/**
 * GPT-NeoX and Pythia (Black et al. 2022, arXiv:2204.06745; Biderman et al. 2023, arXiv:2304.01373): layer norms, rotation
 * of a part of each head, q, k and v of each head side by side in one matrix, attention and MLP side by side on the same
 * input. Fields and defaults are those of transformers' GPTNeoXConfig.
 * @module
 */
import { z } from "zod";
import { add, reshape, slice, type Value } from "@/lib/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { affine, affineParameters } from "./affine.ts";
import { decoder } from "./decoder.ts";
import { applyLayerNorm, layerNormParameters } from "./layer_norm.ts";
import type { AttentionSpec, BlockContext, Model, PartParameters, PartValues } from "./model.ts";
import {
  checkHeads,
  checkLikeLayers,
  type ConfigInput,
  LIKE_LAYERS,
  NO_SOFTCAP,
  parseConfig,
  positive,
  ROTARY,
  SIZES,
} from "./parse_config.ts";
import { checkRotated, contextLengthOf, ropeOf, rotatedDims } from "./rotary.ts";

const GptNeoXConfig = z.looseObject({
  ...SIZES,
  ...LIKE_LAYERS,
  ...NO_SOFTCAP,
  ...ROTARY,
  rope_theta: z.number().positive().nullish(),
  rotary_emb_base: z.number().positive().default(10000),
  rotary_pct: z.number().min(0).max(1).default(0.25),
  partial_rotary_factor: z.number().min(0).max(1).nullish(),
  num_key_value_heads: positive.nullish(),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("gelu"),
  max_position_embeddings: positive.default(2048),
  layer_norm_eps: z.number().nonnegative().default(1e-5),
  attention_bias: z.boolean().default(true),
  use_parallel_residual: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(false),
}).superRefine((config, context) => {
  checkHeads(config, context, { wholeRotary: false });
  checkLikeLayers(config, context, { windowed: false });
  checkRotated(config.hidden_size / config.num_attention_heads, rotaryOf(config).share, context);
  const fixed = (field: "num_key_value_heads" | "head_dim", size: number) => {
    const value = config[field] ?? size;
    if (value === size) return;
    context.addIssue({ code: "custom", path: [field], message: `must be ${size} in this family: ${value}` });
  };
  fixed("num_key_value_heads", config.num_attention_heads);
  fixed("head_dim", config.hidden_size / config.num_attention_heads);
  // transformers 4 reads the family's own spellings; the general ones must not say something else
  const differ = (general: "rope_theta" | "partial_rotary_factor", own: "rotary_emb_base" | "rotary_pct") => {
    const value = config[general];
    if (typeof value !== "number" || value === config[own] || config.rope_parameters) return;
    const message = `must equal ${own}, which is ${config[own]}: ${value}`;
    context.addIssue({ code: "custom", path: [general], message });
  };
  differ("rope_theta", "rotary_emb_base");
  differ("partial_rotary_factor", "rotary_pct");
});

type Config = z.output<typeof GptNeoXConfig>;

/** θ and the share of a head that is rotated; transformers 5 has both in `rope_parameters`. */
function rotaryOf(
  { rotary_emb_base: base, rotary_pct: share, rope_parameters: newer }: Pick<
    Config,
    "rotary_emb_base" | "rotary_pct" | "rope_parameters"
  >,
): { theta: number; share: number } {
  const pick = (value: unknown, otherwise: number) => typeof value === "number" ? value : otherwise;
  return { theta: pick(newer?.rope_theta, base), share: pick(newer?.partial_rotary_factor, share) };
}

/** A GPT-NeoX from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function gptNeoX(input: ConfigInput): Model {
  const config = parseConfig(GptNeoXConfig, input), { hidden_size: width, layer_norm_eps: epsilon } = config;
  const attention = attentionOf(config), act = activation(config.hidden_act), at = "gpt_neox.";
  const mlp = (p: PartValues, x: Value) =>
    affine(p, "down", act(affine(p, "up", applyLayerNorm(p, "mlpNorm", x, epsilon))));
  return decoder(input, {
    modelType: "gpt_neox",
    classifierName: "GPTNeoXForSequenceClassification",
    contextLength: contextLengthOf(config as Config & { rope_theta: number }, [attention.rope]),
    prefix: at,
    // the causal mask and what it hides with
    buffers: [/^(gpt_neox\.)?layers\.\d+\.attention\.(bias|masked_bias)$/],
    embeddings: [{
      parameter: { name: `${at}embed_in.weight`, shape: [config.vocab_size, width] },
      index: "token",
      factor: 1,
    }],
    layers: Array.from({ length: config.num_hidden_layers }, (_, layer) => ({
      attention,
      parameters: blockParameters(config, `${at}layers.${layer}.`),
    })),
    applyBlock({ attention: spec }, p, x, context) {
      const mixed = attend(p, applyLayerNorm(p, "attentionNorm", x, epsilon), spec, context);
      if (config.use_parallel_residual) return add(add(mlp(p, x), mixed), x);
      const middle = add(mixed, x);
      return add(mlp(p, middle), middle);
    },
    finalNorm: layerNormParameters("norm", `${at}final_layer_norm`, width),
    normalise: (p, x) => applyLayerNorm(p, "norm", x, epsilon),
    outputName: "embed_out.weight",
    tied: config.tie_word_embeddings,
  });
}

/** The matrix gives q, k and v of the first head, then those of the second: [N, H·3·D]. */
function attend(p: PartValues, x: Value, spec: AttentionSpec, context: BlockContext): Value {
  const { heads, headDim } = spec, tokens = x.shape[0]!;
  const qkv = reshape(affine(p, "qkv", x), [tokens, heads, 3 * headDim]);
  const [q, k, v] = [0, 1, 2].map((i) =>
    reshape(slice(qkv, 2, i * headDim, (i + 1) * headDim), [tokens, heads * headDim])
  );
  return affine(p, "o", context.attend(q!, k!, v!, spec));
}

function attentionOf(config: Config): AttentionSpec {
  const heads = config.num_attention_heads, headDim = config.hidden_size / heads;
  const { theta, share } = rotaryOf(config), rotated = rotatedDims(headDim, share);
  return {
    heads,
    kvHeads: heads,
    headDim,
    scale: 1 / Math.sqrt(headDim),
    softcap: null,
    window: null,
    rope: rotated === 0 ? null : ropeOf({ ...config, rope_theta: theta }, rotated),
  };
}

function blockParameters(config: Config, at: string): PartParameters {
  const { hidden_size: width, intermediate_size: inner, attention_bias: bias } = config;
  return {
    ...layerNormParameters("attentionNorm", `${at}input_layernorm`, width),
    ...affineParameters("qkv", {
      module: `${at}attention.query_key_value`,
      out: 3 * width,
      inner: width,
      bias,
    }),
    ...affineParameters("o", { module: `${at}attention.dense`, out: width, inner: width, bias }),
    ...layerNormParameters("mlpNorm", `${at}post_attention_layernorm`, width),
    ...affineParameters("up", { module: `${at}mlp.dense_h_to_4h`, out: inner, inner: width, bias: true }),
    ...affineParameters("down", { module: `${at}mlp.dense_4h_to_h`, out: width, inner, bias: true }),
  };
}
