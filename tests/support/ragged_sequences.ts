/** Random token sequences of different lengths for property tests. @module */
import fc from "fast-check";
import type { Sequence } from "@/lib/model/train/batching.ts";

/**
 * Returns an arbitrary of one to six sequences of 2 to 40 tokens with at least one target in total.
 * @param vocabSize ids are less than it
 */
export function raggedSequences(vocabSize: number): fc.Arbitrary<Sequence[]> {
  const token = fc.record({ id: fc.nat(vocabSize - 1), counts: fc.boolean() });
  const sequence = fc.array(token, { minLength: 2, maxLength: 40 }).map((tokens): Sequence => ({
    ids: tokens.map(({ id }) => id),
    targets: tokens.flatMap(({ counts }, t) => (t > 0 && counts ? [t] : [])),
  }));
  return fc.array(sequence, { minLength: 1, maxLength: 6 })
    .filter((all) => all.some(({ targets }) => targets.length > 0));
}

/** Returns the sequence with every token but the first as target. */
export function allTargets({ ids }: Sequence): Sequence {
  return { ids, targets: Array.from({ length: ids.length - 1 }, (_, t) => t + 1) };
}
