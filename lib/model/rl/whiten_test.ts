import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { toRows } from "@/tests/goldens/ppo/golden_case.ts";
import { moments } from "./moments.ts";
import { whiten } from "./whiten.ts";

const rows = fc.array(fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { maxLength: 8 }), {
  maxLength: 6,
});
const RUNS = { seed: 1, numRuns: 300 };

Deno.test("whiten() by hand", () => {
  // mean 2, variance (1 + 1 + 4 + 4)/4
  const [a, b] = whiten([[1, 3], [0, 4]], { epsilon: 0 });
  const s = Math.sqrt(2.5);
  assertEquals([[...a!], [...b!]], [[-1 / s, 1 / s], [-2 / s, 2 / s]]);
});

Deno.test("whiten() gives mean 0 and variance 1 over all tokens (statement 7)", () => {
  fc.assert(
    fc.property(rows, (x) => {
      const before = moments(x);
      fc.pre(before.count >= 2 && before.variance > 1e-2);
      const { mean, variance } = moments(whiten(x));
      assertAlmostEquals(mean, 0, 1e-9);
      assertAlmostEquals(variance, before.variance / (before.variance + 1e-8), 1e-9);
    }),
    RUNS,
  );
});

Deno.test("whiten() without the shift keeps the mean (statement 28)", () => {
  fc.assert(
    fc.property(rows, (x) => {
      const before = moments(x);
      fc.pre(before.count >= 2 && before.variance > 1e-2);
      assertAlmostEquals(moments(whiten(x, { shiftMean: false })).mean, before.mean, 1e-9);
    }),
    RUNS,
  );
});

Deno.test("whiten() leaves one token alone and gives 0, not NaN, for equal tokens (statement 58)", () => {
  assertEquals(whiten([]).length, 0);
  assertEquals(whiten([[], [5]]).map((row) => [...row]), [[], [5]]);
  for (const epsilon of [0, 1e-8]) {
    assertEquals(whiten([[0.1], [0.1, 0.1]], { epsilon }).map((row) => [...row]), [[0], [0, 0]]);
    assertEquals(whiten([[0, 0, 0]], { epsilon }).map((row) => [...row]), [[0, 0, 0]]);
  }
});

Deno.test("whiten() does not depend on masked positions (statement 52)", () => {
  const mask = [[1, 0, 1], [1, 0, 0]];
  const clean = whiten(toRows([[1, 0, 2], [3, 0, 0]], mask));
  assertEquals(whiten(toRows([[1, NaN, 2], [3, 1e30, -7]], mask)), clean);
});

Deno.test("whiten() does not depend on a shift or a positive factor of its input", () => {
  const x = [[1, 2], [4]];
  const moved = whiten(x.map((row) => row.map((v) => 3 * v + 1000)), { epsilon: 0 });
  whiten(x, { epsilon: 0 }).forEach((row, b) =>
    row.forEach((v, t) => assert(Math.abs(v - moved[b]![t]!) < 1e-12))
  );
});
