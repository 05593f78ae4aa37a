import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { gatherTokens, microBatches, scatterTokens, type Sequence, targetsFrom } from "./batching.ts";

/** Sequences of 1 to 90 tokens whose targets begin somewhere. */
const sequences = fc.array(
  fc.tuple(fc.integer({ min: 1, max: 90 }), fc.nat({ max: 90 })).map(([length, from]): Sequence => ({
    ids: Int32Array.from({ length }, (_, t) => 3 + (t * 7 + length) % 50),
    targets: targetsFrom(Math.max(1, Math.min(from, length)), length),
  })),
  { minLength: 1, maxLength: 40 },
);

Deno.test("microBatches() contain every sequence with targets once, within the budget", () => {
  fc.assert(
    fc.property(sequences, fc.integer({ min: 100, max: 2000 }), (rows, budget) => {
      const batches = microBatches(rows, budget);
      const members = batches.flatMap((micro) => micro.members).sort((a, b) => a - b);
      assertEquals(members, rows.flatMap((row, i) => row.targets.length > 0 ? [i] : []));
      for (const { batch, members } of batches) {
        assertEquals(batch.rows, members.length);
        assert(batch.rows === 1 || batch.rows * batch.length <= budget);
      }
    }),
    { seed: 1, numRuns: 100 },
  );
});

Deno.test("positions predict the targets: the token after a position is the target", () => {
  fc.assert(
    fc.property(sequences, (rows) => {
      for (const { batch, members, positions, targetIds } of microBatches(rows, 512)) {
        let at = 0;
        members.forEach((member, row) => {
          const { ids, targets } = rows[member]!;
          for (let k = 0; k < targets.length; k++, at++) {
            const t = targets[k]!;
            assertEquals(positions[at], row * batch.length + t - 1);
            assertEquals(targetIds[at], ids[t]);
            assertEquals(batch.ids[positions[at]!], ids[t - 1]);
          }
        });
        assertEquals(at, positions.length);
      }
    }),
    { seed: 2, numRuns: 100 },
  );
});

Deno.test("scatterTokens() is the inverse of gatherTokens()", () => {
  fc.assert(
    fc.property(sequences, (rows) => {
      const values = rows.map(({ targets }, i) => Float32Array.from(targets, (t) => i + t / 128));
      const back = rows.map(() => new Float32Array(0));
      for (const micro of microBatches(rows, 512)) {
        scatterTokens(micro, rows, gatherTokens(micro, values), back);
      }
      assertEquals(back, values);
    }),
    { seed: 3, numRuns: 100 },
  );
});

Deno.test("sequences without targets give no micro-batches", () => {
  assertEquals(microBatches([{ ids: [1], targets: [] }], 512), []);
});

Deno.test("similar lengths share a batch: padding is below a fifth for lengths from 30 to 80", () => {
  const rows = Array.from({ length: 256 }, (_, i): Sequence => {
    const length = 30 + (i * 37) % 51;
    return { ids: new Int32Array(length).fill(3), targets: targetsFrom(1, length) };
  });
  const batches = microBatches(rows, 4096);
  const padded = batches.reduce((sum, { batch }) => sum + batch.ids.length, 0);
  const real = rows.reduce((sum, { ids }) => sum + ids.length - 1, 0);
  assert(padded < real * 1.2, `${padded} tokens for ${real}`);
});
