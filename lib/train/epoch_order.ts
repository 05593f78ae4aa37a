/** The order in which rows are trained on: a shuffle after the other, cut into batches. @module */
import { permutation } from "@/lib/random/shuffle.ts";
import { makeKey } from "@/lib/random/uniform.ts";

/**
 * Rows of batch `index`: batches are cut from shuffles of all rows laid end to end, so that every row comes once per
 * pass and no batch is short. With fewer rows than a batch holds, rows repeat within it.
 * @param rows how many there are
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
