/**
 * GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks with biases everywhere, q, k and v in one matrix. Its
 * linear maps are stored [in, out], as in Conv1D of transformers. Fields, their second names and defaults are those of
 * transformers' GPT2Config.
 * @module
 */
import { z } from "zod";
import { add, slice } from "@/lib/compute/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { conv1d, conv1dParameters } from "./affine.ts";
import { absent, addIssue, parseConfig, positive } from "./config_fields.ts";
import { decoder } from "./decoder.ts";
import type { ConfigInput, Family } from "./family.ts";
import { applyLayerNorm, layerNormParameters } from "./layer_norm.ts";
import type { AttentionSpec, Model, PartParameters } from "./model.ts";

/** Second names that transformers accepts. */
const ALIASES: Readonly<Record<string, string>> = {
  hidden_size: "n_embd",
  max_position_embeddings: "n_positions",
  num_attention_heads: "n_head",
  num_hidden_layers: "n_layer",
};

const Gpt2Config = z.looseObject({
  vocab_size: positive,
  n_embd: positive,
  n_layer: positive,
  n_head: positive,
  n_positions: positive.default(1024),
  n_inner: positive.nullish(),
  activation_function: z.string().default("gelu_new"),
  layer_norm_epsilon: z.number().nonnegative().default(1e-5),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  add_cross_attention: absent("there is no encoder to attend to"),
  tie_word_embeddings: z.boolean().default(true),
}).superRefine((config, context) => {
  const { n_embd: width, n_head: heads } = config;
  if (width % heads !== 0) addIssue(context, "n_head", `must divide n_embd (${width}), got ${heads}`);
  for (const [alias, name] of Object.entries(ALIASES)) {
    const value = config[alias] ?? config[name];
    if (value !== config[name]) {
      addIssue(context, alias, `must equal ${name} (${config[name]}), got ${value}`);
    }
  }
});

type Config = z.output<typeof Gpt2Config>;

/** The family `gpt2`. */
export const gpt2: Family = {
  className: "GPT2",
  features:
    "matrices stored [in, out], learned positions, `n_inner`, attention scores unscaled or scaled by layer; aliases of config fields (`hidden_size` for `n_embd` …)",
  rejected: "`add_cross_attention`",
  build,
};

function build(input: ConfigInput): Model {
  const json: Record<string, unknown> = { ...input.json };
  for (const [alias, name] of Object.entries(ALIASES)) json[name] ??= json[alias];
  const config = parseConfig(Gpt2Config, { ...input, json });
  const { n_embd: width, layer_norm_epsilon: epsilon } = config, at = "transformer.";
  const act = activation(config.activation_function, "activation_function");
  const table = (name: string, rows: number) => ({ name: at + name, shape: [rows, width] });
  return decoder(input, {
    contextLength: config.n_positions,
    prefix: at,
    buffers: [/^(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)$/], // the causal mask and its value for hidden tokens
    embeddings: [
      { parameter: table("wte.weight", config.vocab_size), index: "token", factor: 1 },
      { parameter: table("wpe.weight", config.n_positions), index: "position", factor: 1 },
    ],
    attention: Array.from({ length: config.n_layer }, (_, layer) => attentionOf(config, layer)),
    blockParameters: (layer) => blockParameters(config, `${at}h.${layer}.`),
    applyBlock({ attention: spec }, p, x, context) {
      const qkv = conv1d(p, "qkv", applyLayerNorm(p, "attentionNorm", x, epsilon));
      const [q, k, v] = [0, 1, 2].map((i) => slice(qkv, 1, i * width, (i + 1) * width));
      const middle = add(x, conv1d(p, "o", context.attend(q!, k!, v!, spec)));
      const inner = act(conv1d(p, "up", applyLayerNorm(p, "mlpNorm", middle, epsilon)));
      return add(middle, conv1d(p, "down", inner));
    },
    finalNorm: layerNormParameters("norm", `${at}ln_f`, width),
    normalise: (p, x) => applyLayerNorm(p, "norm", x, epsilon),
    outputName: "lm_head.weight",
    tied: config.tie_word_embeddings,
  });
}

function attentionOf(config: Config, layer: number): AttentionSpec {
  const heads = config.n_head, headDim = config.n_embd / heads;
  const scale = config.scale_attn_weights ? 1 / Math.sqrt(headDim) : 1;
  return {
    heads,
    kvHeads: heads,
    headDim,
    scale: config.scale_attn_by_inverse_layer_idx ? scale / (layer + 1) : scale,
    softcap: null,
    window: null,
    rope: null,
  };
}

function blockParameters(config: Config, at: string): PartParameters {
  const width = config.n_embd, inner = config.n_inner ?? 4 * width;
  const map = (local: string, module: string, from: number, to: number) =>
    conv1dParameters(local, { module: at + module, out: to, inner: from });
  return {
    ...layerNormParameters("attentionNorm", `${at}ln_1`, width),
    ...map("qkv", "attn.c_attn", width, 3 * width),
    ...map("o", "attn.c_proj", width, width),
    ...layerNormParameters("mlpNorm", `${at}ln_2`, width),
    ...map("up", "mlp.c_fc", width, inner),
    ...map("down", "mlp.c_proj", inner, width),
  };
}
