/**
 * A random part of the demonstrations, for the question of how many are needed. In: those to learn, a number, a seed.
 * Out: that many of them, in their order.
 * @module
 */
import { digestBytes } from "@/lib/files/digest.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { TokenSet } from "./token_sets.ts";

/**
 * `count` of the demonstrations of `set`: those with the smallest SHA-256 of `draw\n<seed>\n<id>`. So a demonstration's
 * fate depends on its name, the seed and its rivals, not on the order of the file, and of one seed the smaller of two
 * draws is part of the larger one.
 * @param file what messages name
 * @throws {DataError} if there are fewer
 */
export function drawDemonstrations(
  set: TokenSet,
  { count, seed, file }: { readonly count: number; readonly seed: number; readonly file: string },
): TokenSet {
  const { samples } = set;
  if (samples.length < count) {
    throw new DataError(
      `Cannot draw ${count} demonstrations from ${file} as there must be as many to learn: there are ${samples.length}`,
      { file },
    );
  }
  const ranked = samples.map((sample) => ({ sample, rank: digestBytes(`draw\n${seed}\n${sample.id}`) }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const drawn = new Set(ranked.slice(0, count).map(({ sample }) => sample));
  return { ...set, samples: samples.filter((sample) => drawn.has(sample)), drawnFrom: samples.length };
}
