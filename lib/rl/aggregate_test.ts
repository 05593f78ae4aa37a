import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { aggregate, AGGREGATIONS, aggregationWeights } from "./aggregate.ts";

Deno.test("aggregationWeights() on rows of one and three tokens, by hand", () => {
  const weights = (
    kind: typeof AGGREGATIONS[number],
  ) => [...aggregationWeights(kind, [1, 3], { normLength: 4 })];
  assertEquals(weights("token_mean"), [1 / 4, 1 / 4, 1 / 4, 1 / 4]);
  assertEquals(weights("seq_mean_token_mean"), [1 / 2, 1 / 6, 1 / 6, 1 / 6]);
  assertEquals(weights("seq_mean_token_sum"), [1 / 2, 1 / 2, 1 / 2, 1 / 2]);
  assertEquals(weights("seq_mean_token_sum_norm"), [1 / 8, 1 / 8, 1 / 8, 1 / 8]);
});

Deno.test("aggregate() is the same however the rows are split into micro-batches (statement 53)", () => {
  const rows = fc.array(
    fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 6 }),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(rows, fc.nat(7), fc.constantFrom(...AGGREGATIONS), (x, cut, kind) => {
      const weights = aggregationWeights(kind, x.map((row) => row.length));
      const tokens = x.slice(0, cut).flat().length;
      const part = (from: number, xs: readonly number[]) =>
        xs.reduce((s, v, i) => s + weights[from + i]! * v, 0);
      const split = part(0, x.slice(0, cut).flat()) + part(tokens, x.slice(cut).flat());
      assertAlmostEquals(split, aggregate(kind, x), 1e-9);
    }),
    { seed: 1 },
  );
});

Deno.test("aggregate() of a constant is that constant for the two means", () => {
  for (const kind of ["token_mean", "seq_mean_token_mean"] as const) {
    assertAlmostEquals(aggregate(kind, [[3], [3, 3, 3], [3, 3]]), 3, 1e-12);
  }
});

Deno.test("the mean of row means is another number: a token mean that forgets the global count is seen", () => {
  const rows = [[6], [0, 0, 0]];
  assertEquals([aggregate("token_mean", rows), aggregate("seq_mean_token_mean", rows)], [1.5, 3]);
});

Deno.test("aggregationWeights() refuses empty rows and norm lengths", () => {
  assertThrows(
    () => aggregationWeights("token_mean", [1, 0, 2, -1]),
    RangeError,
    "Cannot weigh tokens as every row must have at least one: row 1 has 0, row 3 has -1",
  );
  assertThrows(
    () => aggregationWeights("seq_mean_token_sum_norm", [1], { normLength: 0 }),
    RangeError,
    "Cannot weigh tokens as the norm length must be a positive integer: 0",
  );
});
