/** Length of the key/value cache. @module */
import type { Model } from "@/lib/model/models/model.ts";

/** Returns the tokens of the longest sequence, rounded up to a multiple of 32 within the model's context. */
export function cacheCapacity({ contextLength }: Pick<Model, "contextLength">, tokens: number): number {
  return Math.min(contextLength, Math.ceil(tokens / 32) * 32);
}
