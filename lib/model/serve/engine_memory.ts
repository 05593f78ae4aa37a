/** An estimate of the memory that a loaded model takes. @module */
import { paddedHeadDim } from "@/lib/model/generate/key_value_cache.ts";
import { type Model, parametersOf } from "@/lib/model/models/model.ts";
import { sizeOf } from "@/lib/compute/tensor/tensor.ts";

/** Deno, ONNX Runtime and the tokenizer. */
const PROCESS_BYTES = 250e6;

/**
 * Returns the most bytes that an engine takes: weights in f32, once as they are and once repacked by ONNX Runtime; keys and values
 * of all slots at full length; logits and probabilities of a step; the process.
 */
export function engineBytes(
  model: Model,
  { slots, tokens }: { readonly slots: number; readonly tokens: number },
): number {
  const weights = parametersOf(model).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const capacity = Math.min(tokens, model.contextLength);
  const perToken = model.blocks.reduce(
    (sum, { attention: { kvHeads, headDim } }) => sum + 2 * kvHeads * paddedHeadDim(headDim),
    0,
  );
  return PROCESS_BYTES + 4 * (2 * weights + slots * capacity * perToken + 2 * slots * model.vocabSize);
}
