/** The order in which rows are trained on: one shuffle after another, split into batches. @module */
import { permutation } from "@/lib/compute/random/shuffle.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";

/**
 * Returns the rows of batch `index`. The shuffles of all epochs are concatenated and split into batches: every row is
 * used once per epoch, and all batches have equal size. With fewer rows than `batchSize`, a batch repeats rows.
 * @param rows number of rows
 */
export function batchRows(seed: number, rows: number, batchSize: number, index: number): number[] {
  const out: number[] = [];
  let shuffled: { pass: number; order: Int32Array } | undefined;
  for (let at = index * batchSize; at < (index + 1) * batchSize; at++) {
    const pass = Math.floor(at / rows);
    if (shuffled?.pass !== pass) {
      shuffled = { pass, order: permutation(rows, makeKey(seed, "shuffle", pass)) };
    }
    out.push(shuffled.order[at % rows]!);
  }
  return out;
}
