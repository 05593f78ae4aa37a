/** Diversity and repetition of responses, by n-grams of words or of token ids. @module */

/** A text as words, or as token ids. */
export type Units = ArrayLike<string | number>;

/** Returns all n-grams of a text as keys; none where it is shorter than n. */
function ngrams(units: Units, n: number): string[] {
  const all = Array.from(units);
  return Array.from(
    { length: Math.max(0, all.length - n + 1) },
    (_, i) => JSON.stringify(all.slice(i, i + n)),
  );
}

/**
 * Returns distinct-n: the distinct n-grams of all texts over all their n-grams; 0 where there is none. No n-gram spans two texts.
 *
 * Source: Li et al. 2016 (arXiv:1510.03055), section 5.2. It falls as responses become alike, and with the amount of text: compare equal amounts.
 *
 * @example Three pairs, two of them different
 * ```ts
 * import { distinctShare } from "@/lib/model/rl/diversity.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(distinctShare([["a", "b", "c"], ["a", "b"]], 2), 2 / 3);
 * ```
 */
export function distinctShare(texts: readonly Units[], n: number): number {
  const all = texts.flatMap((text) => ngrams(text, n));
  return new Set(all).size / Math.max(1, all.length);
}

/**
 * Returns seq-rep-n of one text: 1 − distinct n-grams/n-grams; 0 where it is shorter than n.
 *
 * Source: Welleck et al. 2020 (arXiv:1908.04319), section 6.1, with n = 4.
 *
 * @example The same token six times: three 4-grams, one of them distinct
 * ```ts
 * import { repetition } from "@/lib/model/rl/diversity.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(repetition([7, 7, 7, 7, 7, 7], 4), 1 - 1 / 3);
 * assertEquals(repetition([1, 2, 3], 4), 0);
 * ```
 */
export function repetition(text: Units, n: number): number {
  const all = ngrams(text, n);
  return all.length === 0 ? 0 : 1 - new Set(all).size / all.length;
}
