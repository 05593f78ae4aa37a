/**
 * Phi 3 and Phi 4 (Abdin et al. 2024, arXiv:2404.14219): Llama's plan with q, k and v in one matrix, gate and up in
 * another, a sliding window in every layer where there is one, and rotation of a part of each head where the config says
 * so. Fields and defaults are those of transformers' Phi3Config.
 * @module
 */
import { z } from "zod";
import { add, mul, rmsNorm, slice, type Value } from "@/lib/autodiff/mod.ts";
import { activation } from "./activations.ts";
import { affine, affineParameters } from "./affine.ts";
import { decoder } from "./decoder.ts";
import type { AttentionSpec, Model, PartParameters } from "./model.ts";
import {
  absent,
  checkHeads,
  checkLikeLayers,
  type ConfigInput,
  headDimOf,
  kvHeadsOf,
  LIKE_LAYERS,
  NO_SOFTCAP,
  parseConfig,
  positive,
  ROTARY,
  SIZES,
} from "./parse_config.ts";
import { checkRotated, contextLengthOf, ropeOf, rotatedDims } from "./rotary.ts";

/** `su` and `yarn` are what the first Phi 3 configs called LongRoPE; other kinds of scaling do not exist for Phi 3. */
const LongRope = z.record(z.string(), z.unknown()).nullish().transform((scaling, context) => {
  const kind = scaling?.rope_type ?? scaling?.type ?? "default";
  if (kind === "su" || kind === "yarn" || kind === "longrope") {
    const { type: _, ...rest } = scaling!;
    return { ...rest, rope_type: "longrope" };
  }
  if (kind !== "default") {
    const message = `must be of type longrope (once called su, yarn): it is ${JSON.stringify(kind)}`;
    context.addIssue({ code: "custom", message });
  }
  return scaling;
});

const Phi3Config = z.looseObject({
  ...SIZES,
  ...LIKE_LAYERS,
  ...NO_SOFTCAP,
  ...ROTARY,
  rope_scaling: LongRope,
  rope_parameters: LongRope,
  partial_rotary_factor: z.number().min(0).max(1).default(1),
  num_key_value_heads: positive.nullish(),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(4096),
  original_max_position_embeddings: positive.default(4096),
  rms_norm_eps: z.number().nonnegative().default(1e-5),
  sliding_window: positive.nullish(),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: absent("its projections have no bias"),
  mlp_bias: absent("its projections have no bias"),
  lm_head_bias: absent("its output has no bias"),
}).superRefine((config, context) => {
  checkHeads(config, context, { wholeRotary: false });
  checkLikeLayers(config, context, { windowed: true });
  checkRotated(headDimOf(config), rotaryShare(config), context);
});

type Config = z.output<typeof Phi3Config>;

/** The share of a head that is rotated; transformers 5 has it in `rope_parameters`. */
function rotaryShare(
  { partial_rotary_factor: share, rope_parameters: newer }: Pick<
    Config,
    "partial_rotary_factor" | "rope_parameters"
  >,
): number {
  const own = newer?.partial_rotary_factor;
  return typeof own === "number" ? own : share;
}

/** A Phi 3 from its config. @throws {DataError} if a field is missing, out of range, or not supported */
export function phi3(input: ConfigInput): Model {
  const config = parseConfig(Phi3Config, input), { hidden_size: width, intermediate_size: middle } = config;
  const attention = attentionOf(config), { heads, kvHeads, headDim } = attention;
  const act = activation(config.hidden_act);
  const norm = (x: Value, weight: Value) => rmsNorm(x, weight, config.rms_norm_eps);
  const table = { name: "model.embed_tokens.weight", shape: [config.vocab_size, width] };
  const keysFrom = heads * headDim, valuesFrom = keysFrom + kvHeads * headDim;
  return decoder(input, {
    modelType: "phi3",
    classifierName: "Phi3ForSequenceClassification",
    contextLength: contextLengthOf(config, [attention.rope]),
    prefix: "model.",
    embeddings: [{ parameter: table, index: "token", factor: 1 }],
    layers: Array.from({ length: config.num_hidden_layers }, (_, layer) => ({
      attention,
      parameters: blockParameters(config, attention, layer),
    })),
    applyBlock({ attention: spec }, p, x, context) {
      const qkv = affine(p, "qkv", norm(x, p.attentionNorm!));
      const mixed = context.attend(
        slice(qkv, 1, 0, keysFrom),
        slice(qkv, 1, keysFrom, valuesFrom),
        slice(qkv, 1, valuesFrom, qkv.shape[1]!),
        spec,
      );
      const half = add(x, affine(p, "o", mixed)), gateUp = affine(p, "gateUp", norm(half, p.mlpNorm!));
      const gate = slice(gateUp, 1, 0, middle), up = slice(gateUp, 1, middle, 2 * middle);
      return add(half, affine(p, "down", mul(act(gate), up)));
    },
    finalNorm: { norm: { name: "model.norm.weight", shape: [width] } },
    normalise: (p, x) => norm(x, p.norm!),
    outputName: "lm_head.weight",
    tied: config.tie_word_embeddings,
  });
}

function attentionOf(config: Config): AttentionSpec {
  const headDim = headDimOf(config), rotated = rotatedDims(headDim, rotaryShare(config));
  return {
    heads: config.num_attention_heads,
    kvHeads: kvHeadsOf(config),
    headDim,
    scale: 1 / Math.sqrt(headDim),
    softcap: null,
    window: config.sliding_window ?? null,
    rope: rotated === 0 ? null : ropeOf(config, rotated),
  };
}

function blockParameters(config: Config, attention: AttentionSpec, layer: number): PartParameters {
  const { hidden_size: C, intermediate_size: F } = config, { heads, kvHeads, headDim } = attention;
  const at = `model.layers.${layer}.`;
  const map = (local: string, module: string, inner: number, out: number) =>
    affineParameters(local, { module: at + module, out, inner, bias: false });
  return {
    attentionNorm: { name: `${at}input_layernorm.weight`, shape: [C] },
    ...map("qkv", "self_attn.qkv_proj", C, (heads + 2 * kvHeads) * headDim),
    ...map("o", "self_attn.o_proj", heads * headDim, C),
    mlpNorm: { name: `${at}post_attention_layernorm.weight`, shape: [C] },
    ...map("gateUp", "mlp.gate_up_proj", C, 2 * F),
    ...map("down", "mlp.down_proj", F, C),
  };
}
