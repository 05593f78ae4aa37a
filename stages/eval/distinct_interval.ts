/**
 * Computes distinct-2 of a set of responses, and its spread over prompts by the bootstrap: a metric of a set has no value for a
 * single response.
 * @module
 */
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";

/** Most resamples: the standard deviation of 1000 of them is within 5 % of that of infinitely many. */
const MOST_RESAMPLES = 1000;
/** Fewest resamples, of very large sets. */
const FEWEST_RESAMPLES = 100;
/** Bigrams that all resamples together read at most, unless they are the fewest. */
const MOST_READ = 200_000_000;

/** Distinct-2 of a set, and of resamples of its prompts. */
export interface Distinct {
  readonly value: number;
  readonly resampled: Float64Array;
  readonly prompts: number;
}

/**
 * Returns distinct-2: the number of distinct word bigrams divided by the number of all word bigrams of a set of responses; 0 without
 * bigrams. Words are separated by white space. Source: Li et al. 2016 (arXiv:1510.03055).
 *
 * @param byPrompt the responses to each prompt
 * @param seed equal seeds and numbers of prompts give equal resamples, so that differences between models are paired
 * @returns `resampled`: the values with as many prompts drawn with replacement; empty with fewer than two prompts
 */
export function distinctBigrams(byPrompt: readonly (readonly string[])[], seed: number): Distinct {
  const ids = new Map<string, number>();
  const bigrams = byPrompt.map((responses) =>
    Int32Array.from(responses.flatMap(bigramsOf), (pair) => {
      const id = ids.get(pair) ?? ids.size;
      ids.set(pair, id);
      return id;
    })
  );
  const all = bigrams.reduce((sum, row) => sum + row.length, 0), prompts = bigrams.length;
  const value = all === 0 ? 0 : ids.size / all;
  if (prompts < 2) return { value, resampled: new Float64Array(0), prompts };
  const key = makeKey(seed, "bootstrap", prompts);
  const seen = new Int32Array(ids.size).fill(-1);
  const count = resamplesOf(all);
  const resampled = Float64Array.from({ length: count }, (_, k) => {
    let distinct = 0, total = 0;
    for (let i = 0; i < prompts; i++) {
      const row = bigrams[Math.floor(uniform(key, k * prompts + i) * prompts)]!;
      total += row.length;
      for (const id of row) {
        if (seen[id] === k) continue;
        seen[id] = k;
        distinct++;
      }
    }
    return total === 0 ? 0 : distinct / total;
  });
  return { value, resampled, prompts };
}

/** Returns the number of resamples for a set of `bigrams`; it depends on nothing else, as differences pair resamples. */
function resamplesOf(bigrams: number): number {
  return Math.max(FEWEST_RESAMPLES, Math.min(MOST_RESAMPLES, Math.floor(MOST_READ / Math.max(1, bigrams))));
}

function bigramsOf(response: string): string[] {
  const words = response.split(/\s+/).filter((word) => word !== "");
  return words.slice(1).map((word, i) => `${words[i]} ${word}`);
}

/** Returns the standard deviation of resampled values: the standard error of the metric; 0 with fewer than two. */
export function resampledError(resampled: Float64Array): number {
  const n = resampled.length;
  if (n < 2) return 0;
  const mean = resampled.reduce((a, b) => a + b, 0) / n;
  return Math.sqrt(resampled.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1));
}

/**
 * Returns the 95 % interval value ± 1.96 standard deviations of the resampled values (the normal bootstrap interval without its bias
 * correction; Davison and Hinkley 1997, section 5.2). Quantiles of the resampled values would be wrong here: a resample repeats
 * prompts, so that its share of distinct bigrams is lower than that of the set.
 * @returns low and high null without any spread
 */
export function centredInterval(
  value: number,
  resampled: Float64Array,
): { readonly low: number | null; readonly high: number | null } {
  const half = 1.96 * resampledError(resampled);
  return half > 0 ? { low: value - half, high: value + half } : { low: null, high: null };
}
