import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { TokenRow } from "@/lib/data/contracts/tokens.ts";
import { supervisedSequences } from "./objective.ts";
import { matchedUpdates, plannedUpdates, subsampled } from "./train.ts";

/** Rows of two tokens; the first id is the row's number. */
const rows = (count: number): TokenRow[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `d${i}`,
    inputIds: Int32Array.of(i, 1),
    lossMask: Uint8Array.of(0, 1),
    source: "",
  }));

const drawn = (count: number, seed: number, subsample: number) =>
  subsampled(rows(count), seed, subsample).map(({ inputIds }) => inputIds[0]!);

Deno.test("a subsample is drawn without replacement, has the given size, and keeps the order of the rows", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.nat(),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (count, seed, share) => {
        const chosen = drawn(count, seed, share);
        assertEquals(chosen.length, Math.max(1, Math.floor(count * share)));
        assert(chosen.every((row, i) => i === 0 || row > chosen[i - 1]!));
      },
    ),
  );
});

Deno.test("each row is in about half of the subsamples of half, and two seeds draw others", () => {
  const counts = new Array(20).fill(0);
  for (let seed = 0; seed < 400; seed++) for (const row of drawn(20, seed, 0.5)) counts[row]++;
  for (const count of counts) assert(count > 150 && count < 250, `${count} of 400`); // 5 standard deviations
  assert(String(drawn(20, 1, 0.5)) !== String(drawn(20, 2, 0.5)));
  assertEquals(drawn(5, 3, 1), [0, 1, 2, 3, 4]);
});

Deno.test("targets are the supervised tokens but the first, or all but the first", () => {
  const row: TokenRow = {
    id: "a",
    inputIds: Int32Array.of(5, 6, 7, 8),
    lossMask: Uint8Array.of(1, 0, 1, 1), // nothing predicts the first token
    source: "",
  };
  assertEquals(supervisedSequences([row], "response", "tokens").map(({ targets }) => targets), [[2, 3]]);
  assertEquals(supervisedSequences([row], "all", "tokens").map(({ targets }) => targets), [[1, 2, 3]]);
  const silent = { ...row, lossMask: new Uint8Array(4) };
  assertEquals(supervisedSequences([silent, row], "response", "tokens").length, 1);
});

Deno.test("updates are epochs of whole batches, the quickstart's 252 and 128 among them", () => {
  const planned = (count: number, epochs: number, max_updates = 0, min_updates = 0) =>
    plannedUpdates(count, { epochs, max_updates, min_updates, batch_size: 16 });
  assertEquals(planned(1000, 4), 252);
  assertEquals(planned(500, 4), 128);
  assertEquals(planned(1000, 0.5), 32);
  assertEquals(planned(3, 0.1), 1);
  assertEquals(planned(1000, 4, 7), 7);
  assertEquals(planned(64, 4, 0, 128), 128, "few demonstrations are passed over more often");
  assertEquals(planned(1000, 4, 0, 128), 252);
  assertEquals(planned(64, 4, 7, 128), 7);
});

Deno.test("matchedUpdates() takes the largest count of all iterations", () => {
  const iteration = (value: number) => [{ step: 0, name: "policy_updates", value }];
  assertEquals(matchedUpdates([iteration(0), iteration(8), iteration(16), iteration(16)]), 16);
});
