/** Which layers of a Qwen see a window: `layer_types`, or in older configs those from `max_window_layers` on. @module */
import { z } from "zod";
import { checkLayerTypes, LAYER_TYPES, type LayerType, layerTypes, windowOf } from "./layer_types.ts";

/** The fields. `sliding_window` counts only where `use_sliding_window` is true. */
export const QWEN_WINDOW = {
  ...LAYER_TYPES,
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.int().positive().nullable().default(4096),
  max_window_layers: z.int().nonnegative().default(28),
};

interface QwenWindowConfig {
  readonly num_hidden_layers: number;
  readonly layer_types?: readonly LayerType[] | null | undefined;
  readonly use_sliding_window: boolean;
  readonly sliding_window: number | null;
  readonly max_window_layers: number;
}

/** `layer_types`, and the window that counts. */
function typesOf(config: QwenWindowConfig): { types: readonly LayerType[]; window: number | null } {
  const window = config.use_sliding_window ? config.sliding_window : null;
  const slides = (layer: number) => window !== null && layer >= config.max_window_layers;
  return { types: config.layer_types ?? layerTypes(config.num_hidden_layers, slides), window };
}

/** Adds issues for types that do not fit the layers or that lack a window. */
export function checkQwenLayers(config: QwenWindowConfig, context: z.RefinementCtx): void {
  const { types, window } = typesOf(config);
  checkLayerTypes(types, { num_hidden_layers: config.num_hidden_layers, sliding_window: window }, context);
}

/** The window of each layer. */
export function qwenWindows(config: QwenWindowConfig): (number | null)[] {
  const { types, window } = typesOf(config);
  return types.map((type) => windowOf(type, window));
}
