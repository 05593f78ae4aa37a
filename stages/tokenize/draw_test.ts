/** Random draws of demonstrations. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { drawDemonstrations } from "./draw.ts";
import type { FittedSample, TokenSet } from "./token_sets.ts";

function setOf(ids: readonly string[]): TokenSet {
  const sample = {
    source: "s",
    at: "s",
    prompt: "p",
    response: "r",
    meta: {},
    promptIds: [1],
    responseIds: [2],
  };
  const row = { inputIds: Int32Array.of(1, 2), lossMask: Uint8Array.of(0, 1), source: "s" };
  const samples = ids.map((id): FittedSample => ({
    ...sample,
    id,
    isSplit: false,
    isTruncated: false,
    row: { ...row, id },
  }));
  return { samples, dropped: 1, unsupervised: 2 };
}

const names = Array.from({ length: 40 }, (_, k) => `d${k}`);
const idsOf = (set: TokenSet): string[] => set.samples.map(({ id }) => id);

Deno.test("a smaller draw is part of a larger one with the same seed, for any order of the file", () => {
  const counts = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }));
  fc.assert(
    fc.property(counts, fc.nat(), fc.shuffledSubarray(names, { minLength: 40 }), (pair, seed, order) => {
      const [few, many] = pair.toSorted((a, b) => a - b) as [number, number];
      const draw = (ids: readonly string[], count: number) =>
        idsOf(drawDemonstrations(setOf(ids), { count, seed, file: "f" }));
      const larger = draw(names, many);
      assertEquals(larger.length, many);
      assertEquals(draw(names, few).every((id) => larger.includes(id)), true);
      assertEquals(draw(order, many), order.filter((id) => larger.includes(id)));
    }),
  );
});

Deno.test("seeds draw different demonstrations, and each about as often", () => {
  const counts = new Map(names.map((name) => [name, 0]));
  for (let seed = 0; seed < 400; seed++) {
    const drawn = drawDemonstrations(setOf(names), { count: 10, seed, file: "f" });
    for (const id of idsOf(drawn)) counts.set(id, counts.get(id)! + 1);
  }
  // 400 draws of a quarter: 100 ± 8.7 each; five deviations are out of reach for all 40
  assertEquals([...counts.values()].filter((count) => Math.abs(count - 100) > 44), []);
});

Deno.test("a draw keeps the counts and adds drawnFrom; a draw of more than all is refused", () => {
  const { samples, ...counted } = drawDemonstrations(setOf(names), { count: 2, seed: 1, file: "f" });
  assertEquals([samples.length, counted], [2, { dropped: 1, unsupervised: 2, drawnFrom: 40 }]);
  assertEquals(
    assertThrows(() => drawDemonstrations(setOf(names), { count: 41, seed: 1, file: "a.jsonl" }), DataError)
      .message,
    "draw must be at most the number of demonstrations in a.jsonl, 40, got 41",
  );
});
