/** Which layers see a window of tokens and which see all of them, as `layer_types` of a config says. @module */
import { z } from "zod";

/** What a layer sees. */
export type LayerType = "sliding_attention" | "full_attention";

/** The field, one entry per layer; other kinds of attention are refused by name. */
export const LAYER_TYPES = {
  layer_types: z.array(
    z.enum(["sliding_attention", "full_attention"], {
      error: ({ input }) =>
        `must be sliding_attention or full_attention, others are not supported: ${JSON.stringify(input)}`,
    }),
  ).nullish(),
  sliding_window: z.int().positive().nullish(),
};

/** Adds an issue unless there is one type per layer and a window for those that slide. */
export function checkLayerTypes(
  types: readonly LayerType[],
  config: { readonly num_hidden_layers: number; readonly sliding_window?: number | null | undefined },
  context: z.RefinementCtx,
): void {
  const issue = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (types.length !== config.num_hidden_layers) {
    issue("layer_types", `must have one entry per layer, ${config.num_hidden_layers}: ${types.length}`);
  }
  if (types.includes("sliding_attention") && typeof config.sliding_window !== "number") {
    issue("sliding_window", "must be a number, as layers with sliding_attention need it");
  }
}

/** `count` types by the index of the layer. */
export function layerTypes(count: number, slides: (layer: number) => boolean): LayerType[] {
  return Array.from({ length: count }, (_, i) => slides(i) ? "sliding_attention" : "full_attention");
}

/** The window of a layer; null where it sees everything before it. */
export function windowOf(
  type: LayerType | undefined,
  slidingWindow: number | null | undefined,
): number | null {
  return type === "sliding_attention" ? slidingWindow ?? null : null;
}
