import { assertEquals } from "@std/assert";
import { type Bar, type Measure, tally } from "./tally.ts";

const bar = (measure: Measure, value = 0.1): Bar => ({ check: "x", measure, bar: value });

/** Error, verdict and place of one comparison. */
function one(measure: Measure, actual: number[], expected: number[], skip?: number[]) {
  const checks = tally();
  checks.compare(bar(measure), "t", actual, expected, skip && new Set(skip));
  const [line] = checks.lines();
  return [line!.largestError, line!.ok, line!.worst];
}

Deno.test("each measure has its own scale", () => {
  const actual = [1.5, 8], expected = [1, 10];
  assertEquals(one("absolute", actual, expected), [2, false, "t[1]"]);
  assertEquals(one("relative", actual, expected), [0.5, false, "t[0]"]);
  assertEquals(one("of_largest", actual, expected), [0.2, false, "t[1]"]);
  assertEquals(one("differences", actual, expected), [2, false, "t[1]"]);
});

Deno.test("where the golden is zero the error is absolute", () => {
  assertEquals(one("relative", [0.25], [0]), [0.25, false, "t"]);
  assertEquals(one("of_largest", [0, 0.25], [0, 0]), [0.25, false, "t[1]"]);
});

Deno.test("an error at the bar is ok, and one above it is not", () => {
  assertEquals(one("absolute", [0.1], [0]), [0.1, true, "t"]);
  assertEquals(one("absolute", [0.1000001], [0]), [0.1000001, false, "t"]);
});

Deno.test("numbers that are not finite fail, in the result and in the golden", () => {
  for (const [a, e] of [[NaN, 0], [0, NaN], [Infinity, 0], [Infinity, Infinity], [NaN, NaN]] as const) {
    for (const measure of ["absolute", "relative", "of_largest"] as const) {
      assertEquals(one(measure, [0, a], [0, e]), [Infinity, false, "t[1]"]);
    }
  }
});

Deno.test("another length fails and says which", () => {
  assertEquals(one("absolute", [1], [1, 2]), [Infinity, false, "t has 1 elements, not 2"]);
});

Deno.test("skipped elements are not compared, and where all are skipped nothing was", () => {
  assertEquals(one("absolute", [5, 1], [0, 1], [0]), [0, true, "t[1]"]);
  assertEquals(one("absolute", [5], [0], [0]), [Infinity, false, "nothing was compared"]);
});

Deno.test("a check keeps its worst place, and one that compared nothing has failed", () => {
  const checks = tally();
  checks.expect({ ...bar("absolute"), check: "empty" });
  checks.compare(bar("absolute"), "a", [0.01], [0]);
  checks.compare(bar("absolute"), "b", [0.02], [0]);
  checks.compare(bar("absolute"), "c", [0], [0]);
  checks.fail({ ...bar("absolute"), check: "failed" }, "no such tensor");
  assertEquals(checks.lines().map(({ check, largestError, ok, worst }) => [check, largestError, ok, worst]), [
    ["empty", Infinity, false, "nothing was compared"],
    ["x", 0.02, true, "b"],
    ["failed", Infinity, false, "no such tensor"],
  ]);
  assertEquals(checks.lines()[1]!.places.map(({ place }) => place), ["a", "b", "c"]);
});
