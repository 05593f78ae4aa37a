import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  policyWarmupFactor,
  quickstartFactor,
  type Schedule,
  SCHEDULES,
  transformersFactor,
  warmupStepsOf,
} from "./schedule.ts";

const schedules = fc.record({
  kind: fc.constantFrom(...SCHEDULES),
  totalSteps: fc.integer({ min: 1, max: 60 }),
  warmup: fc.nat(60),
  minRatio: fc.double({ min: 0, max: 1, noNaN: true }),
}).map(({ warmup, ...rest }): Schedule => ({ ...rest, warmupSteps: Math.min(warmup, rest.totalSteps) }));

Deno.test("quickstartFactor() is the reference's formula: warm-up from 1, cosine to a tenth", () => {
  // n = 40, warm-up 0.1: w = 4
  const n = 40, w = warmupStepsOf(0.1, n);
  assertEquals(w, 4);
  for (let s = 0; s < n; s++) {
    const expected = Math.min(1, (s + 1) / w) *
      (0.1 + 0.9 * 0.5 * (1 + Math.cos(Math.PI * Math.max(0, s - w) / Math.max(1, n - w))));
    const actual = quickstartFactor(s, { kind: "cosine", totalSteps: n, warmupSteps: w, minRatio: 0.1 });
    assertAlmostEquals(actual, expected, 1e-15);
  }
});

Deno.test("transformersFactor() starts at 0, quickstartFactor() at 1/w; both are 1 at step w", () => {
  for (const kind of SCHEDULES) {
    const schedule = { kind, totalSteps: 30, warmupSteps: 5 };
    assertEquals([transformersFactor(0, schedule), transformersFactor(5, schedule)], [0, 1]);
    assertEquals([
      quickstartFactor(0, schedule),
      quickstartFactor(4, schedule),
      quickstartFactor(5, schedule),
    ], [0.2, 1, 1]);
  }
});

Deno.test("a linear schedule is at 0 after the last update (statements 4 and 19)", () => {
  const schedule = { kind: "linear", totalSteps: 10, warmupSteps: 0 } as const;
  assertEquals(transformersFactor(0, schedule), 1);
  assertAlmostEquals(transformersFactor(9, schedule), 0.1, 1e-15); // the last update: 1/n of the base rate
  assertEquals(transformersFactor(10, schedule), 0);
  assertEquals(transformersFactor(99, schedule), 0);
});

Deno.test("every factor lies in [0, 1], and does not rise after the warm-up", () => {
  fc.assert(
    fc.property(schedules, (schedule) => {
      for (const factor of [transformersFactor, quickstartFactor]) {
        const all = Array.from({ length: schedule.totalSteps }, (_, s) => factor(s, schedule));
        all.forEach((f, s) => {
          assert(f >= 0 && f <= 1);
          if (s > schedule.warmupSteps && s > 0) assert(f <= all[s - 1]! + 1e-12);
          if (s >= schedule.warmupSteps) assert(f >= (schedule.minRatio ?? 0) - 1e-12);
        });
      }
    }),
    { seed: 1 },
  );
});

Deno.test("transformersFactor() with one whole cycle is at its minimum in the middle and back at the end", () => {
  const schedule = { kind: "cosine", totalSteps: 8, warmupSteps: 0, minRatio: 0.2, cycles: 1 } as const;
  const [start, middle, end] = [0, 4, 8].map((s) => transformersFactor(s, schedule));
  assertEquals([start, end], [1, 1]);
  assertAlmostEquals(middle!, 0.2, 1e-15);
});

Deno.test("warmupStepsOf() rounds down and is at least 1", () => {
  assertEquals([warmupStepsOf(0.1, 252), warmupStepsOf(0.1, 5), warmupStepsOf(0, 100)], [25, 1, 1]);
});

Deno.test("policyWarmupFactor() is 0 during the critic's warm-up, then rises to 1", () => {
  const factors = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) =>
    policyWarmupFactor(i, { criticWarmupIterations: 3, lrWarmupIterations: 5 })
  );
  assertEquals(factors, [0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1]);
  assertEquals(policyWarmupFactor(0, { criticWarmupIterations: 0, lrWarmupIterations: 0 }), 1);
});

Deno.test("transformersFactor() names every setting that is out of range", () => {
  assertThrows(
    () => transformersFactor(-1, { kind: "linear", totalSteps: 1.5, warmupSteps: 0, minRatio: 2 }),
    RangeError,
    "Invalid learning-rate schedule: step must be a non-negative integer, got -1; " +
      "totalSteps must be a non-negative integer, got 1.5; minRatio must be in [0, 1], got 2",
  );
});
