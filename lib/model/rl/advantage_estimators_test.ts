import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ADVANTAGE_ESTIMATORS, criticFreeAdvantages, GROUP_ESTIMATORS } from "./advantage_estimators.ts";
import { moments } from "./moments.ts";
import { ppoRewards } from "./ppo_rewards.ts";
import { whiten } from "./whiten.ts";

interface GoldenCriticFree {
  readonly groups: number[];
  readonly scores: number[];
  readonly mask: number[][];
  readonly token_kl: number[][];
  readonly beta: number;
  readonly rloo: number[];
  readonly grpo: number[];
  readonly reinforce_pp_baseline: number[][];
  readonly reinforce_pp: number[][];
}

const CASES: GoldenCriticFree[] =
  JSON.parse(Deno.readTextFileSync("fixtures/goldens/ppo/critic_free.json")).cases;

const counted = (rows: readonly number[][], mask: readonly number[][]) =>
  rows.map((row, b) => row.filter((_, t) => mask[b]![t] !== 0));

function assertRows(found: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): void {
  assertEquals(found.map((row) => row.length), expected.map((row) => row.length));
  found.forEach((row, b) =>
    Array.from(row).forEach((x, t) => assertAlmostEquals(x, expected[b]![t]!, 1e-10))
  );
}

Deno.test("criticFreeAdvantages() whitened are REINFORCE++ and its baseline form; RLOO and GRPO those of the goldens", () => {
  for (const golden of CASES) {
    const kl = counted(golden.token_kl, golden.mask), { groups, scores, beta } = golden;
    const of = (kind: typeof ADVANTAGE_ESTIMATORS[number], weight: number) =>
      criticFreeAdvantages(
        kind as "rloo",
        kl.map((row, b) => ppoRewards(row, { beta: weight, reward: scores[b]! })),
        { gamma: 1, groups, epsilon: 1e-6 },
      );
    assertRows(whiten(of("reinforce_pp", beta)), counted(golden.reinforce_pp, golden.mask));
    assertRows(of("reinforce", beta), of("reinforce_pp", beta));
    assertRows(
      whiten(of("reinforce_pp_baseline", 0)),
      counted(golden.reinforce_pp_baseline, golden.mask),
    );
    for (const kind of ["rloo", "grpo"] as const) {
      assertRows(of(kind, 0), kl.map((row, b) => row.map(() => golden[kind][b]!)));
    }
  }
});

Deno.test("a group estimator depends on a response's total only, not on its distribution over tokens", () => {
  const rows = fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 2, maxLength: 5 }), {
    minLength: 2,
    maxLength: 6,
  });
  fc.assert(fc.property(rows, fc.constantFrom("rloo", "grpo", "reinforce_pp_baseline"), (rewards, kind) => {
    const groups = rewards.map(() => 0), options = { gamma: 1, groups };
    const atEnd = rewards.map((row) =>
      row.map((_, t) => t === row.length - 1 ? row.reduce((a, b) => a + b) : 0)
    );
    assertRows(
      criticFreeAdvantages(kind as "rloo", rewards, options),
      criticFreeAdvantages(kind as "rloo", atEnd, options),
    );
  }));
});

Deno.test("reinforce_pp: each token's return is the sum of the later penalties and the score", () => {
  const rewards = [[1, -2, 3], [0]].map((kl, b) => ppoRewards(kl, { beta: 0.5, reward: [10, 4][b]! }));
  const returns = criticFreeAdvantages("reinforce_pp", rewards, { gamma: 1, groups: [0, 1] });
  assertEquals(returns.map((row) => [...row]), [[9, 9.5, 8.5], [4]]);
  assertAlmostEquals(moments(whiten(returns)).mean, 0, 1e-12);
});

Deno.test("reinforce_pp_baseline gives every token of a response the same number", () => {
  const rows = criticFreeAdvantages("reinforce_pp_baseline", [[1], [0, 0, 3]], { gamma: 1, groups: [0, 0] });
  assertEquals(rows.map((row) => row.length), [1, 3]);
  assertEquals(new Set(rows[1]).size, 1);
  assertAlmostEquals(moments(whiten(rows)).variance, 1, 1e-6);
});

Deno.test("reinforce is discounted; estimators that compare responses refuse a single one", () => {
  const options = { gamma: 0.5, groups: [3] };
  assertEquals(criticFreeAdvantages("reinforce", [[0, 0, 8]], options).map((row) => [...row]), [[2, 4, 8]]);
  assertThrows(
    () => criticFreeAdvantages("rloo", [[1]], options),
    RangeError,
    "Every group must have at least 2 responses, got fewer in group 3",
  );
  assertEquals(GROUP_ESTIMATORS.every((kind) => ADVANTAGE_ESTIMATORS.includes(kind)), true);
});
