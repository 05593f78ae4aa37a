/**
 * Phi 3 and Phi 4 (Abdin et al. 2024, arXiv:2404.14219): Llama with q, k and v in one matrix, gate and up in another, an
 * optional sliding window in every layer, and optionally partial rotation of heads. Fields and defaults are those of
 * transformers' Phi3Config.
 * @module
 */
import { z } from "zod";
import {
  absent,
  checkHeads,
  checkUniformLayers,
  headDimOf,
  parseConfig,
  positive,
  RMS_FIELDS,
  UNIFORM_LAYERS,
} from "./config_fields.ts";
import type { Family } from "./family.ts";
import { rmsDecoder, rotaryAttention } from "./rms_decoder.ts";
import { checkRotated } from "./rotary.ts";

/** LongRoPE, which the first Phi 3 configs called `su` and `yarn`; Phi 3 has no other type of scaling. */
const LongRope = z.record(z.string(), z.unknown()).nullish().transform((scaling, context) => {
  const kind = scaling?.rope_type ?? scaling?.type ?? "default";
  if (kind === "su" || kind === "yarn" || kind === "longrope") {
    const { type: _, ...rest } = scaling!;
    return { ...rest, rope_type: "longrope" };
  }
  if (kind !== "default") {
    const message = `must be of type longrope (formerly su or yarn), got ${JSON.stringify(kind)}`;
    context.addIssue({ code: "custom", message });
  }
  return scaling;
});

const Phi3Config = z.looseObject({
  ...RMS_FIELDS,
  ...UNIFORM_LAYERS,
  rope_scaling: LongRope,
  rope_parameters: LongRope,
  partial_rotary_factor: z.number().min(0).max(1).default(1),
  max_position_embeddings: positive.default(4096),
  original_max_position_embeddings: positive.default(4096),
  rms_norm_eps: z.number().nonnegative().default(1e-5),
  attention_bias: absent("its projections have no bias"),
  lm_head_bias: absent("its output has no bias"),
}).superRefine((config, context) => {
  checkHeads(config, context, { wholeRotary: false });
  checkUniformLayers(config, context, { windowed: true });
  checkRotated(headDimOf(config), rotaryShare(config), context);
});

/** Returns the share of a head that is rotated; transformers 5 has it in `rope_parameters`. */
function rotaryShare(
  config: Pick<z.output<typeof Phi3Config>, "partial_rotary_factor" | "rope_parameters">,
): number {
  const nested = config.rope_parameters?.partial_rotary_factor;
  return typeof nested === "number" ? nested : config.partial_rotary_factor;
}

/** The family `phi3`. */
export const phi3: Family = {
  className: "Phi3",
  features:
    "q, k and v in one matrix, gate and up in another; a sliding window in every layer; `partial_rotary_factor`; LongRoPE",
  rejected: "biases, rope scaling other than `longrope` (formerly `su`, `yarn`)",
  build(input) {
    const config = parseConfig(Phi3Config, input);
    const attention = rotaryAttention(config, config.sliding_window, rotaryShare(config));
    return rmsDecoder(input, config, {
      attention: new Array(config.num_hidden_layers).fill(attention),
      activation: { name: config.hidden_act },
      fused: true,
    });
  },
};
