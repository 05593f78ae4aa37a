/** Draws a number of demonstrations at random. @module */
import { digestBytes } from "@/lib/data/files/digest.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { TokenSet } from "./token_sets.ts";

/**
 * Returns `set` with `count` of its demonstrations: those with the smallest SHA-256 of `draw\n<seed>\n<id>`. The draw does not
 * depend on the order of the file; with the same seed, the smaller of two draws is part of the larger one.
 * @param file for messages
 * @throws {DataError} if there are fewer demonstrations
 */
export function drawDemonstrations(
  set: TokenSet,
  { count, seed, file }: { readonly count: number; readonly seed: number; readonly file: string },
): TokenSet {
  const { samples } = set;
  if (samples.length < count) {
    throw new DataError(
      `draw must be at most the number of demonstrations in ${file}, ${samples.length}, got ${count}`,
      { file },
    );
  }
  const ranked = samples.map((sample) => ({ sample, rank: digestBytes(`draw\n${seed}\n${sample.id}`) }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const drawn = new Set(ranked.slice(0, count).map(({ sample }) => sample));
  return { ...set, samples: samples.filter((sample) => drawn.has(sample)), drawnFrom: samples.length };
}
