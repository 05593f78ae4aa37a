/** Fields of config.json that several families share, and checks between fields. @module */
import { z } from "zod";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { ConfigInput } from "./family.ts";

/**
 * Validates a config with a family's schema.
 * @throws {DataError} listing every invalid field
 */
export function parseConfig<S extends z.ZodType>(schema: S, { json, path }: ConfigInput): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw new DataError(`${path}: ${problemsOf(result.error).join("; ")}`, { file: path });
}

/** Returns a sentence for every issue of a failed validation. */
export function problemsOf({ issues }: z.ZodError): string[] {
  return issues.map(({ path, message }) => {
    const field = path.join(".");
    if (message.endsWith("received undefined")) return `missing field "${field}"`;
    return message.startsWith("must ") ? `${field} ${message}` : `${field}: ${message}`;
  });
}

/** Returns whether a field has an effect: exporters write null, 0, false, [] and {} for fields that have none. */
export function isSet(value: unknown): boolean {
  return typeof value === "object" && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}

/** Adds an issue for one field. */
export function addIssue(context: z.RefinementCtx, field: string, message: string): void {
  context.addIssue({ code: "custom", path: [field], message });
}

/** A positive integer. */
export const positive = z.int().positive();

/** A field that would add weights or change the arithmetic, and that the family does not have. */
export function absent(reason: string): z.ZodType<false | null | undefined> {
  return z.literal(false, `must be false: ${reason}`).nullish();
}

/** Sizes with the same names in every family but GPT-2. They have no default: a config without them is incomplete. */
export const SIZES = {
  vocab_size: positive,
  hidden_size: positive,
  intermediate_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
};

/** Rotary embedding with the names of transformers 4 (`rope_scaling`) and 5 (`rope_parameters`). */
export const ROTARY = {
  rope_theta: z.number().positive().default(10000),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).refine(
    ({ rope_theta: theta }) => theta === undefined || (typeof theta === "number" && theta > 0),
    "must have a positive number rope_theta",
  ).nullish(),
  original_max_position_embeddings: positive.nullish(),
};

const NO_CAP = z.null("must be null: this family has no soft cap").optional();

/** Soft caps of a family that has none. */
export const NO_SOFTCAP = { attn_logit_softcapping: NO_CAP, final_logit_softcapping: NO_CAP };

/** Fields of families with RMS norms, whole rotated heads and a gated MLP, with the most common defaults. */
export const RMS_FIELDS = {
  ...SIZES,
  ...NO_SOFTCAP,
  ...ROTARY,
  rope_parameters: ROTARY.rope_parameters.refine(
    (rope) => (rope?.partial_rotary_factor ?? 1) === 1,
    "must have partial_rotary_factor 1: this family rotates whole heads",
  ),
  partial_rotary_factor: z.literal(1, "must be 1: this family rotates whole heads").nullish(),
  num_key_value_heads: positive.nullish(),
  head_dim: positive.nullish(),
  hidden_act: z.string().default("silu"),
  max_position_embeddings: positive.default(2048),
  rms_norm_eps: z.number().nonnegative().default(1e-6),
  mlp_bias: absent("its MLP has no bias"),
  tie_word_embeddings: z.boolean().default(false),
};

/** Fields that `checkHeads()` reads. */
export interface HeadSizes {
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads?: number | null | undefined;
  readonly head_dim?: number | null | undefined;
}

/** Returns the dimensions of a head: `head_dim`, or the hidden size divided by the number of heads. */
export function headDimOf(config: HeadSizes): number {
  return config.head_dim ?? config.hidden_size / config.num_attention_heads;
}

/** Returns the number of key and value heads; by default that of query heads. */
export function kvHeadsOf(config: HeadSizes): number {
  return config.num_key_value_heads ?? config.num_attention_heads;
}

/** Adds issues for numbers of heads that do not divide, and for an odd head size if whole heads are rotated. */
export function checkHeads(
  config: HeadSizes,
  context: z.RefinementCtx,
  { wholeRotary = true }: { readonly wholeRotary?: boolean } = {},
): void {
  const heads = config.num_attention_heads, kv = kvHeadsOf(config), dim = headDimOf(config);
  if (heads % kv !== 0) {
    addIssue(context, "num_key_value_heads", `must divide num_attention_heads (${heads}), got ${kv}`);
  }
  if (!Number.isInteger(dim)) {
    const message =
      `must be a multiple of num_attention_heads (${heads}) without head_dim, got ${config.hidden_size}`;
    addIssue(context, "hidden_size", message);
  } else if (wholeRotary && dim % 2 !== 0) {
    addIssue(context, "head_dim", `must be even for rotary embedding, got ${dim}`);
  }
}

/** Window fields of families in which all layers have the same attention. */
export const UNIFORM_LAYERS = {
  sliding_window: positive.nullish(),
  layer_types: z.array(z.string()).nullish(),
};

/**
 * Adds issues for layer types that differ from the family's.
 * @param windowed whether the family has a window; without one, a window must cover the whole context
 */
export function checkUniformLayers(
  { max_position_embeddings: contextLength, sliding_window: window, layer_types: types }: {
    readonly max_position_embeddings: number;
    readonly sliding_window?: number | null | undefined;
    readonly layer_types?: readonly string[] | null | undefined;
  },
  context: z.RefinementCtx,
  { windowed = false }: { readonly windowed?: boolean } = {},
): void {
  if (!windowed && typeof window === "number" && window < contextLength) {
    addIssue(
      context,
      "sliding_window",
      `must be null: this family attends to the whole context, got ${window}`,
    );
  }
  const type = windowed && typeof window === "number" ? "sliding_attention" : "full_attention";
  const other = types?.find((t) => t !== type);
  if (other !== undefined) {
    addIssue(
      context,
      "layer_types",
      `must all be ${type}: all layers of this family are equal, got ${other}`,
    );
  }
}

/** Window fields of families in which some layers have a window; other kinds of attention are rejected by name. */
export const LAYER_TYPES = {
  layer_types: z.array(
    z.enum(["sliding_attention", "full_attention"], {
      error: ({ input }) => `must be sliding_attention or full_attention, got ${JSON.stringify(input)}`,
    }),
  ).nullish(),
  sliding_window: positive.nullish(),
};

/** Windows of layers: null attends to the whole context; undefined is invalid: it needs a `sliding_window`. */
export type Windows = readonly (number | null | undefined)[];

/** Returns the windows of all layers by `layer_types`; without them, the layers for which `slides` is true have one. */
export function layerWindows(
  config: {
    readonly num_hidden_layers: number;
    readonly layer_types?: readonly ("sliding_attention" | "full_attention")[] | null | undefined;
  },
  window: number | null | undefined,
  slides: (layer: number) => boolean,
): Windows {
  const { num_hidden_layers: length, layer_types: types } = config;
  const windowed = types?.map((type) => type === "sliding_attention") ??
    Array.from({ length }, (_, layer) => slides(layer));
  return windowed.map((has) => has ? window ?? undefined : null);
}

/** Adds issues unless there is one window per layer, and a `sliding_window` if some layers need it. */
export function checkWindows(
  windows: Windows,
  { num_hidden_layers: layers }: { readonly num_hidden_layers: number },
  context: z.RefinementCtx,
): void {
  if (windows.length !== layers) {
    addIssue(context, "layer_types", `must have one entry per layer (${layers}), got ${windows.length}`);
  }
  if (windows.includes(undefined)) {
    addIssue(context, "sliding_window", "must be a number: layers with sliding_attention need it");
  }
}
