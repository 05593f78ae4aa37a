import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { groupMeanBaseline, grpo, rloo } from "./group_baselines.ts";
import { moments } from "./moments.ts";

const scored = fc.array(fc.record({ score: fc.double({ min: -9, max: 9, noNaN: true }), group: fc.nat(2) }), {
  minLength: 1,
  maxLength: 12,
}).map((rows) => [...rows, ...rows.map(({ score, group }) => ({ score: score + 1, group }))]); // at least two a group
const RUNS = { seed: 1 };

Deno.test("group baselines by hand: scores 1, 2, 6 of one prompt among others", () => {
  const scores = [1, 0, 2, 4, 6], groups = [7, 3, 7, 3, 7];
  assertEquals([...rloo(scores, groups)], [-3, -4, -1.5, 4, 4.5]);
  assertEquals([...groupMeanBaseline(scores, groups)], [-2, -2, -1, 2, 3]);
  const s = Math.sqrt(7); // variance of 1, 2, 6 with n − 1: (4 + 1 + 9)/2
  assertEquals([...grpo(scores, groups, { epsilon: 0 })].filter((_, i) => i % 2 === 0), [
    -2 / s,
    -1 / s,
    3 / s,
  ]);
});

Deno.test("rloo() uses the other scores of the group and sums to 0 in it", () => {
  fc.assert(
    fc.property(scored, (rows) => {
      const scores = rows.map((r) => r.score), groups = rows.map((r) => r.group);
      rloo(scores, groups).forEach((a, i) => {
        const others = scores.filter((_, j) => j !== i && groups[j] === groups[i]);
        assertAlmostEquals(a, scores[i]! - others.reduce((x, y) => x + y) / others.length, 1e-9);
      });
    }),
    RUNS,
  );
});

Deno.test("grpo() has mean 0 and deviation 1 in each group, and no NaN where all scores are equal", () => {
  fc.assert(
    fc.property(scored, (rows) => {
      const scores = rows.map((r) => r.score), groups = rows.map((r) => r.group);
      const advantages = grpo(scores, groups, { epsilon: 0 });
      for (const group of new Set(groups)) {
        const { count, mean, variance } = moments([advantages.filter((_, i) => groups[i] === group)]);
        assertAlmostEquals(mean, 0, 1e-9);
        assertAlmostEquals(variance * count / (count - 1), 1, 1e-9);
      }
    }),
    RUNS,
  );
  assertEquals([...grpo([0.1, 0.1, 0.1], [0, 0, 0], { epsilon: 0 })], [0, 0, 0]);
});

Deno.test("a score added to every response of a prompt changes no advantage", () => {
  const scores = [1, 2, 6, 3], groups = [0, 0, 1, 1], moved = [1, 2, 106, 103];
  for (const baseline of [rloo, groupMeanBaseline, grpo]) {
    baseline(scores, groups).forEach((a, i) => assertAlmostEquals(baseline(moved, groups)[i]!, a, 1e-9));
  }
});

Deno.test("rloo() and grpo() name groups of a single response", () => {
  for (const baseline of [rloo, grpo]) {
    assertThrows(
      () => baseline([1, 2, 3, 4], [5, 6, 6, 8]),
      RangeError,
      "Every group must have at least 2 responses, got fewer in group 5, 8",
    );
  }
  assertEquals([...groupMeanBaseline([4], [5])], [0]);
});
