/** Length of the key/value cache. @module */
import type { Model } from "@/lib/model/models/model.ts";
import type { GenerationOptions } from "./generation_options.ts";

/** Returns the longest sequence, prompt and response, rounded up to a multiple of 32 within the model's context. */
export function cacheCapacity(
  { contextLength }: Pick<Model, "contextLength">,
  { prompts, maxNewTokens }: Pick<GenerationOptions, "prompts" | "maxNewTokens">,
): number {
  const longest = prompts.reduce((most, { ids }) => Math.max(most, ids.length), 1) + maxNewTokens;
  return Math.min(contextLength, Math.ceil(longest / 32) * 32);
}
