/**
 * Perplexity of texts, as the output type `loglikelihood_rolling` of lm-evaluation-harness: each text is predicted from its first token
 * on, in windows of the context length.
 * @module
 */
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import { tokenLogprobsWork } from "@/lib/model/train/token_logprobs.ts";
import type { BenchmarkModel } from "./benchmark_model.ts";

/** Perplexities over all texts together. */
export interface Perplexity {
  readonly texts: number;
  readonly tokens: number;
  /** exp(−Σ log p / tokens) */
  readonly token_perplexity: number;
  /** exp(−Σ log p / words), words separated by white space */
  readonly word_perplexity: number;
  readonly byte_perplexity: number;
  readonly bits_per_byte: number;
}

/** Computes the perplexity of texts. @param texts at least one that is not empty */
export async function perplexityOf(
  { network, tokenizer, eosIds }: BenchmarkModel,
  texts: readonly string[],
): Promise<Perplexity> {
  const encoded = await tokenizer.encodeAll(texts, { special: false });
  const prefix = tokenizer.bosId ?? eosIds[0] ?? 0, length = network.model.contextLength;
  const windows = encoded.flatMap((ids) => windowsOf(ids, prefix, length));
  const logprobs = await runYielding(tokenLogprobsWork(network, windows));
  const sum = logprobs.reduce((total, row) => total + row.reduce((a, b) => a + b, 0), 0);
  const count = (of: (text: string) => number) => texts.reduce((total, text) => total + of(text), 0);
  const tokens = encoded.reduce((total, ids) => total + ids.length, 0);
  const bytes = count((text) => new TextEncoder().encode(text).length);
  const words = count((text) => text.split(/\s+/u).length);
  return {
    texts: texts.length,
    tokens,
    token_perplexity: Math.exp(-sum / tokens),
    word_perplexity: Math.exp(-sum / words),
    byte_perplexity: Math.exp(-sum / bytes),
    bits_per_byte: -sum / bytes / Math.LN2,
  };
}

/** Returns windows of at most `length` tokens; each but the first begins with the last token of the one before. */
function windowsOf(ids: Int32Array, prefix: number, length: number) {
  const all = Int32Array.from([prefix, ...ids]), windows = [];
  for (let start = 0; start < all.length - 1; start += length - 1) {
    const window = all.subarray(start, start + length);
    windows.push({ ids: window, targets: targetsFrom(1, window.length) });
  }
  return windows;
}
