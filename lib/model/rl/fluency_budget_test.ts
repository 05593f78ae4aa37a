import { assert, assertEquals, assertThrows } from "@std/assert";
import { fluencyFactor } from "./fluency_budget.ts";

Deno.test("fluencyFactor() rises while the budget is exceeded, falls back when it is not, and never below 1", () => {
  const settings = { budget: 0.05, growth: 1.5 };
  let factor = 1;
  const seen = [0.1, 0.2, 0.05, 0, -1, 0].map((rise) => factor = fluencyFactor(factor, rise, settings));
  assertEquals(seen, [1.5, 2.25, 1.5, 1, 1, 1]);
});

Deno.test("fluencyFactor() keeps a policy within its budget whose NLL rises as the penalty falls", () => {
  // A toy in which the NLL's rise is 0.5/factor: the controller ends in a cycle around the budget.
  let factor = 1;
  const rises = Array.from({ length: 40 }, () => {
    factor = fluencyFactor(factor, 0.5 / factor, { budget: 0.05, growth: 1.2 });
    return 0.5 / factor;
  });
  assert(rises.slice(-6).every((rise) => rise < 0.05 * 1.2 && rise > 0.05 / 1.2 / 1.2), rises.join());
});

Deno.test("fluencyFactor() refuses settings out of range", () => {
  assertThrows(
    () => fluencyFactor(0.5, NaN, { budget: -1, growth: 1 }),
    RangeError,
    "The fluency budget requires factor ≥ 1, budget ≥ 0, growth > 1 and a finite rise, got " +
      "factor 0.5, budget -1, growth 1, rise NaN",
  );
});
