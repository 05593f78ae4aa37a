import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ADVANTAGE_ESTIMATORS, criticFreeAdvantages, GROUP_ESTIMATORS } from "./advantage_estimators.ts";
import { ppoRewards } from "./ppo_rewards.ts";
import { reinforcePlusPlus, reinforcePlusPlusBaseline } from "./reinforce_plus_plus.ts";
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
        { gamma: 1, groups },
      );
    assertRows(whiten(of("reinforce_pp", beta)), counted(golden.reinforce_pp, golden.mask));
    assertRows(whiten(of("reinforce", beta)), reinforcePlusPlus(kl, { scores, beta }).advantages);
    assertRows(
      whiten(of("reinforce_pp_baseline", 0)),
      reinforcePlusPlusBaseline(scores, { groups, lengths: kl.map((row) => row.length) }),
    );
    assertRows(
      whiten(of("reinforce_pp_baseline", 0)),
      counted(golden.reinforce_pp_baseline, golden.mask),
    );
    for (const kind of ["rloo", "grpo"] as const) {
      assertRows(of(kind, 0), kl.map((row, b) => row.map(() => golden[kind][b]!)));
    }
  }
});

Deno.test("a group estimator sees a response's total alone: how it is spread over tokens changes nothing", () => {
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

Deno.test("a discount reaches reinforce; a lone answer is refused by estimators that compare answers", () => {
  const options = { gamma: 0.5, groups: [3] };
  assertEquals(criticFreeAdvantages("reinforce", [[0, 0, 8]], options).map((row) => [...row]), [[2, 4, 8]]);
  assertThrows(
    () => criticFreeAdvantages("rloo", [[1]], options),
    RangeError,
    "Cannot compare responses within groups as each needs at least 2: too few in group 3",
  );
  assertEquals(GROUP_ESTIMATORS.every((kind) => ADVANTAGE_ESTIMATORS.includes(kind)), true);
});
