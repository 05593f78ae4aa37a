import { assertAlmostEquals, assertEquals } from "@std/assert";
import { explainedVariance } from "./value_statistics.ts";
import { correlation, moments, sampleDeviation } from "./moments.ts";

Deno.test("moments() of rows, by hand", () => {
  assertEquals(moments([[1, 2], [], [6]]), { count: 3, mean: 3, variance: 14 / 3 });
  assertEquals(moments([]), { count: 0, mean: NaN, variance: NaN });
});

Deno.test("moments() of equal numbers has exactly variance 0", () => {
  assertEquals(moments([new Array(1001).fill(0.1)]), { count: 1001, mean: 0.1, variance: 0 });
});

Deno.test("moments() keeps the variance of numbers that are far from 0", () => {
  assertAlmostEquals(moments([[1e9, 1e9 + 1, 1e9 + 2]]).variance, 2 / 3, 1e-9);
});

Deno.test("sampleDeviation() divides by n − 1", () => {
  assertEquals(sampleDeviation([1, 3]), Math.SQRT2);
  assertEquals(sampleDeviation([1]), NaN);
});

Deno.test("correlation() is ±1 on lines, 0 on a symmetric bow, null where one list is constant", () => {
  assertAlmostEquals(correlation([1, 2, 4], [-2, -4, -8])!, -1, 1e-12);
  assertAlmostEquals(correlation([-1, 0, 1], [1, 0, 1])!, 0, 1e-12);
  assertEquals(correlation([1, 2], [0.1, 0.1]), null);
  assertEquals(correlation([1], [1]), null);
});

Deno.test("explainedVariance() is 1 for returns plus a constant, 0 for a constant critic, negative for a wrong one", () => {
  const returns = [[1, 2], [4]];
  assertAlmostEquals(explainedVariance([[6, 7], [9]], returns)!, 1, 1e-12);
  assertAlmostEquals(explainedVariance([[5, 5], [5]], returns)!, 0, 1e-12);
  assertAlmostEquals(explainedVariance([[-1, -2], [-4]], returns)!, -3, 1e-12);
  assertEquals(explainedVariance([[1, 2]], [[0.3, 0.3]]), null);
});
