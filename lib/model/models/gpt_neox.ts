/**
 * GPT-NeoX and Pythia (Black et al. 2022, arXiv:2204.06745; Biderman et al. 2023, arXiv:2304.01373): layer norms, partial
 * rotation of heads, q, k and v of each head side by side in one matrix, attention and MLP in parallel on the same
 * input. Fields and defaults are those of transformers' GPTNeoXConfig.
 * @module
 */
import { z } from "zod";
import { add, reshape, slice, type Value } from "@/lib/compute/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { affine, affineParameters } from "./affine.ts";
import {
  addIssue,
  checkHeads,
  checkUniformLayers,
  NO_SOFTCAP,
  parseConfig,
  positive,
  ROTARY,
  SIZES,
  UNIFORM_LAYERS,
} from "./config_fields.ts";
import { decoder } from "./decoder.ts";
import type { ConfigInput, Family } from "./family.ts";
import { applyLayerNorm, layerNormParameters } from "./layer_norm.ts";
import type { AttentionSpec, BlockContext, Model, PartParameters, PartValues } from "./model.ts";
import { rotaryAttention } from "./rms_decoder.ts";
import { checkRotated, contextLengthOf } from "./rotary.ts";

const GptNeoXConfig = z.looseObject({
  ...SIZES,
  ...UNIFORM_LAYERS,
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
  const headDim = config.hidden_size / config.num_attention_heads;
  checkHeads(config, context, { wholeRotary: false });
  checkUniformLayers(config, context);
  checkRotated(headDim, rotaryOf(config).share, context);
  const fixed = { num_key_value_heads: config.num_attention_heads, head_dim: headDim };
  for (const [field, size] of Object.entries(fixed)) {
    const value = config[field] ?? size;
    if (value !== size) addIssue(context, field, `must be ${size} in this family, got ${value}`);
  }
  // transformers 4 reads the family's own names; the general names must not contradict them.
  const general = { rope_theta: "rotary_emb_base", partial_rotary_factor: "rotary_pct" } as const;
  for (const [field, own] of Object.entries(general)) {
    const value = config[field];
    if (typeof value !== "number" || value === config[own] || config.rope_parameters) continue;
    addIssue(context, field, `must equal ${own} (${config[own]}), got ${value}`);
  }
});

type Config = z.output<typeof GptNeoXConfig>;

/** Returns θ and the share of a head that is rotated; transformers 5 has both in `rope_parameters`. */
function rotaryOf(
  { rotary_emb_base: base, rotary_pct: share, rope_parameters: nested }: Pick<
    Config,
    "rotary_emb_base" | "rotary_pct" | "rope_parameters"
  >,
): { theta: number; share: number } {
  const pick = (value: unknown, otherwise: number) => typeof value === "number" ? value : otherwise;
  return { theta: pick(nested?.rope_theta, base), share: pick(nested?.partial_rotary_factor, share) };
}

/** The family `gpt_neox`. */
export const gptNeoX: Family = {
  className: "GPTNeoX",
  features:
    "RoPE on the fraction `rotary_pct` of each head, attention and MLP in parallel or in sequence, q, k and v interleaved per head, optional attention biases",
  rejected:
    "`num_key_value_heads` and `head_dim` that differ from multi-head attention, sliding windows, `rope_theta` that differs from `rotary_emb_base`",
  build,
};

function build(input: ConfigInput): Model {
  const config = parseConfig(GptNeoXConfig, input), { hidden_size: width, layer_norm_eps: epsilon } = config;
  const { theta, share } = rotaryOf(config), rotary = { ...config, rope_theta: theta };
  const attention = rotaryAttention(rotary, null, share);
  const act = activation(config.hidden_act), at = "gpt_neox.";
  const mlp = (p: PartValues, x: Value) =>
    affine(p, "down", act(affine(p, "up", applyLayerNorm(p, "mlpNorm", x, epsilon))));
  return decoder(input, {
    contextLength: contextLengthOf(rotary, [attention.rope]),
    prefix: at,
    // the causal mask and its value for hidden tokens
    buffers: [/^(gpt_neox\.)?layers\.\d+\.attention\.(bias|masked_bias)$/],
    embeddings: [{
      parameter: { name: `${at}embed_in.weight`, shape: [config.vocab_size, width] },
      index: "token",
      factor: 1,
    }],
    attention: new Array(config.num_hidden_layers).fill(attention),
    blockParameters: (layer) => blockParameters(config, `${at}layers.${layer}.`),
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

function blockParameters(config: Config, at: string): PartParameters {
  const { hidden_size: width, intermediate_size: inner, attention_bias } = config;
  const map = (local: string, module: string, out: number, inner: number, bias = true) =>
    affineParameters(local, { module: at + module, out, inner, bias });
  return {
    ...layerNormParameters("attentionNorm", `${at}input_layernorm`, width),
    ...map("qkv", "attention.query_key_value", 3 * width, width, attention_bias),
    ...map("o", "attention.dense", width, width, attention_bias),
    ...layerNormParameters("mlpNorm", `${at}post_attention_layernorm`, width),
    ...map("up", "mlp.dense_h_to_4h", inner, width),
    ...map("down", "mlp.dense_4h_to_h", width, inner),
  };
}
