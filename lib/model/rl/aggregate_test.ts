import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { AGGREGATIONS, aggregationWeights } from "./aggregate.ts";

/** Divisor of constant_length. */
const LENGTH = 8;

type Rows = readonly (readonly number[])[];

/** Returns Σ weight · x over all rows at once. */
function aggregate(kind: typeof AGGREGATIONS[number], rows: Rows): number {
  const weights = aggregationWeights(kind, rows.map((row) => row.length), LENGTH);
  return rows.flat().reduce((sum, x, i) => sum + weights[i]! * x, 0);
}

Deno.test("aggregationWeights() on rows of one and three tokens, by hand", () => {
  const weights = (kind: typeof AGGREGATIONS[number]) => [...aggregationWeights(kind, [1, 3])];
  assertEquals(weights("token_mean"), [1 / 4, 1 / 4, 1 / 4, 1 / 4]);
  assertEquals(weights("sequence_mean"), [1 / 2, 1 / 6, 1 / 6, 1 / 6]);
  assertEquals(weights("sequence_sum"), [1 / 2, 1 / 2, 1 / 2, 1 / 2]);
  assertEquals([...aggregationWeights("constant_length", [1, 3], 8)], [1 / 16, 1 / 16, 1 / 16, 1 / 16]);
});

Deno.test("aggregationWeights() give the same sum however the rows are split into micro-batches (statement 53)", () => {
  const rows = fc.array(
    fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 6 }),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(rows, fc.nat(7), fc.constantFrom(...AGGREGATIONS), (x, cut, kind) => {
      const weights = aggregationWeights(kind, x.map((row) => row.length), LENGTH);
      const tokens = x.slice(0, cut).flat().length;
      const part = (from: number, xs: readonly number[]) =>
        xs.reduce((s, v, i) => s + weights[from + i]! * v, 0);
      const split = part(0, x.slice(0, cut).flat()) + part(tokens, x.slice(cut).flat());
      assertAlmostEquals(split, aggregate(kind, x), 1e-9);
    }),
    { seed: 1 },
  );
});

Deno.test("aggregationWeights() of both means add up to 1", () => {
  for (const kind of ["token_mean", "sequence_mean"] as const) {
    assertAlmostEquals(aggregate(kind, [[3], [3, 3, 3], [3, 3]]), 3, 1e-12);
  }
});

Deno.test("the mean of row means differs from the token mean, so a token mean by rows would be noticed", () => {
  const rows = [[6], [0, 0, 0]];
  assertEquals([aggregate("token_mean", rows), aggregate("sequence_mean", rows)], [1.5, 3]);
});

Deno.test("aggregationWeights() refuses empty rows", () => {
  assertThrows(
    () => aggregationWeights("token_mean", [1, 0, 2, -1]),
    RangeError,
    "Every row must have at least one token, got 0 in row 1, -1 in row 3",
  );
  assertThrows(
    () => aggregationWeights("constant_length", [1]),
    RangeError,
    "The constant length must be positive, got undefined",
  );
});
