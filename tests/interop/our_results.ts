/**
 * Results of this project on the files of a run, with which Python compares: logits, values, token ids.
 * @module
 */
import type { NamedTensor } from "@/lib/data/files/safetensors.ts";
import { loadLanguageModel, loadModel } from "@/lib/model/models/checkpoint.ts";
import { hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogits } from "@/tests/support/token_logits.ts";
import { tokenValues } from "@/lib/model/train/token_logprobs.ts";

/** Returns the context length of the model in `directory`. */
export function contextOf(directory: string): number {
  return loadLanguageModel(directory).model.contextLength;
}

/** Returns logits f32[T,V] of every prompt under the model in `directory`: one batch, padded on the right. */
export function logitsOf(
  name: string,
  directory: string,
  prompts: readonly (readonly number[])[],
): NamedTensor[] {
  const { model, parameters } = loadLanguageModel(directory);
  const length = Math.max(...prompts.map((ids) => ids.length));
  const ids = new Int32Array(prompts.length * length);
  prompts.forEach((prompt, row) => ids.set(prompt, row * length));
  const positions = prompts.flatMap((prompt, row) => prompt.map((_, t) => row * length + t));
  const batch = { ids, rows: prompts.length, length };
  const logits = tokenLogits(new Network(model, parameters), batch, Int32Array.from(positions));
  const vocabulary = logits.length / positions.length;
  let at = 0;
  return prompts.map((prompt, row) => {
    const data = logits.slice(at * vocabulary, (at + prompt.length) * vocabulary);
    at += prompt.length;
    return {
      name: `logits.${name}.${row}`,
      tensor: hostTensor("f32", [prompt.length, vocabulary], data),
    };
  });
}

/** Returns values f32[T] at every token of every prompt under the critic in `directory`. */
export function valuesOf(directory: string, prompts: readonly (readonly number[])[]): NamedTensor[] {
  const { model, parameters } = loadModel(directory);
  // The value of a target is that of the state before it: one more token gives the last prompt token a value.
  const sequences = prompts.map((ids) => ({ ids: [...ids, 0], targets: targetsFrom(1, ids.length + 1) }));
  return tokenValues(new Network(model, parameters), sequences).map((values, row) => ({
    name: `values.${row}`,
    tensor: hostTensor("f32", [values.length], Float32Array.from(values)),
  }));
}

/** Returns the ids of texts, and the texts of those ids without special tokens. */
export async function tokensOf(
  directory: string,
  texts: readonly string[],
): Promise<{ readonly ids: number[][]; readonly decoded: string[] }> {
  const tokenizer = loadTokenizer(directory);
  const ids = (await tokenizer.encodeAll(texts)).map((row) => Array.from(row));
  return { ids, decoded: ids.map((row) => tokenizer.decode(row, { skipSpecial: true })) };
}
