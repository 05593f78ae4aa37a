/** Validating a config against the schema of its family, and the fields that several families share. @module */
import { z } from "zod";
import { DataError } from "@/lib/tensor/errors.ts";

/** A config and the kind of head that the model gets. */
export interface ConfigInput {
  readonly json: Readonly<Record<string, unknown>>;
  readonly headKind: "lm" | "score";
  /** for messages */
  readonly path: string;
}

/**
 * Validates a config with a family's schema.
 * @throws {DataError} listing every field that is wrong
 */
export function parseConfig<S extends z.ZodType>(schema: S, input: ConfigInput): z.output<S> {
  const result = schema.safeParse(input.json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new DataError(`Cannot read ${input.path} as it must describe a model: ${problems.join("; ")}`, {
    file: input.path,
  });
}

/** A whole number above 0. */
export const positive = z.int().positive();

/** Sizes that every family but GPT-2 spells alike. A config without them is a broken one, so there is no default. */
export const SIZES = {
  vocab_size: positive,
  hidden_size: positive,
  intermediate_size: positive,
  num_hidden_layers: positive,
  num_attention_heads: positive,
};

/** Rotary embedding with the spellings of transformers 4 (`rope_scaling`) and 5 (`rope_parameters`). */
export const ROTARY = {
  rope_theta: z.number().positive().default(10000),
  rope_scaling: z.record(z.string(), z.unknown()).nullish(),
  rope_parameters: z.record(z.string(), z.unknown()).refine(
    ({ rope_theta: theta }) => theta === undefined || (typeof theta === "number" && theta > 0),
    "rope_theta must be a positive number",
  ).nullish(),
  original_max_position_embeddings: positive.nullish(),
};

const WHOLE = "must be 1: this family rotates whole heads";

/** Of families that rotate whole heads. */
export const WHOLE_ROTARY = {
  ...ROTARY,
  rope_parameters: ROTARY.rope_parameters.refine(
    (rope) => (rope?.partial_rotary_factor ?? 1) === 1,
    `partial_rotary_factor ${WHOLE}`,
  ),
  partial_rotary_factor: z.literal(1, WHOLE).nullish(),
};

const NO_CAP = z.null("must be null: this family has no soft cap").optional();

/** Of families without soft caps. */
export const NO_SOFTCAP = { attn_logit_softcapping: NO_CAP, final_logit_softcapping: NO_CAP };

/** Of families whose layers all attend alike. */
export const LIKE_LAYERS = {
  sliding_window: positive.nullish(),
  layer_types: z.array(z.string()).nullish(),
};

/** What `checkLikeLayers()` looks at. */
export interface LikeLayers {
  readonly max_position_embeddings: number;
  readonly sliding_window?: number | null | undefined;
  readonly layer_types?: readonly string[] | null | undefined;
}

/**
 * Adds an issue for layer types that are not all the same as the family's.
 * @param windowed whether the family has a window; one that has none takes windows that reach over the whole context
 */
export function checkLikeLayers(
  { max_position_embeddings: context, sliding_window: window, layer_types: types }: LikeLayers,
  refinement: z.RefinementCtx,
  { windowed }: { readonly windowed: boolean },
): void {
  const issue = (path: string, message: string) =>
    refinement.addIssue({ code: "custom", path: [path], message });
  if (!windowed && typeof window === "number" && window < context) {
    issue("sliding_window", `must be null: this family sees the whole context: ${window}`);
  }
  const type = windowed && typeof window === "number" ? "sliding_attention" : "full_attention";
  const others = types?.filter((t) => t !== type) ?? [];
  if (others.length > 0) {
    issue("layer_types", `must all be ${type}, as all layers attend alike: ${others[0]}`);
  }
}

/** A field that adds weights or changes the arithmetic, and that this family does not have. */
export function absent(what: string): z.ZodType<false | null | undefined> {
  return z.literal(false, `must be false: ${what}`).nullish();
}

/** What `checkHeads()` looks at. */
export interface HeadSizes {
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads?: number | null | undefined;
  readonly head_dim?: number | null | undefined;
}

/** Dimensions of a head: `head_dim`, else the hidden size split among the heads. */
export function headDimOf(config: HeadSizes): number {
  return config.head_dim ?? config.hidden_size / config.num_attention_heads;
}

/** Heads of keys and values: as many as queries have, where the config does not say. */
export function kvHeadsOf(config: HeadSizes): number {
  return config.num_key_value_heads ?? config.num_attention_heads;
}

/** Adds an issue for heads that do not fit each other, and for heads of odd size where whole heads are rotated. */
export function checkHeads(
  config: HeadSizes,
  context: z.RefinementCtx,
  { wholeRotary = true }: { readonly wholeRotary?: boolean } = {},
): void {
  const heads = config.num_attention_heads, kv = kvHeadsOf(config), dim = headDimOf(config);
  const issue = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (heads % kv !== 0) issue("num_key_value_heads", `must divide num_attention_heads ${heads}: ${kv}`);
  if (!Number.isInteger(dim)) {
    issue("num_attention_heads", `must divide hidden_size ${config.hidden_size} without head_dim`);
  } else if (wholeRotary && dim % 2 !== 0) {
    issue("head_dim", `must be even for rotary embedding: ${dim}`);
  }
}
