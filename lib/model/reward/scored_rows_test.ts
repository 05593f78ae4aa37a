/** Rewards from log-probabilities, worked by hand. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import { memberRewards, type RewardLogprobs, type RewardRule, scoredRows } from "./scored_rows.ts";

const ROW: RolloutRow = {
  id: "r",
  promptId: "p",
  sample: 0,
  promptIds: Int32Array.of(1),
  responseIds: Int32Array.of(40, 41, 42, 2),
  logprobs: new Float32Array(4),
  logprobsT1: null,
  finishReason: "eos",
  meta: "{}",
};
const f32 = (...values: number[]) => Float32Array.of(...values);
const BASE = f32(-3, -8, -2, -20);
const LOGPROBS: RewardLogprobs = {
  sft: [f32(-1, -1, -1, -1)],
  members: [[f32(-1, -7, -4, -1)], [f32(-2, -9, -6, -3)]],
  base: [BASE],
  baseline: [BASE],
  baseNll: [2.5],
};
const RULE: RewardRule = { combine: "mean", floor: null, eosBound: null, lengthNorm: "none", eosIds: [2] };

Deno.test("scoredRows() combines, guards and sums; log-probabilities are kept", () => {
  const [row] = scoredRows([ROW], LOGPROBS, RULE);
  assertEquals([...row!.targetLogprobs], [-1.5, -8, -5, -2]);
  assertEquals([...row!.tokenRewards], [1.5, 0, -3, 18]);
  assertEquals([row!.rawReward, row!.reward, row!.baseNll, row!.id], [16.5, 16.5, 2.5, "r"]);
  assertEquals([row!.sftLogprobs, row!.baseLogprobs], [LOGPROBS.sft[0]!, BASE]);
});

Deno.test("scoredRows(): floor_both, token_cap and eos_bound", () => {
  const [row] = scoredRows([ROW], LOGPROBS, { ...RULE, floorBoth: -7.5, tokenCap: 2, eosBound: 5 });
  assertEquals([...row!.tokenRewards], [1.5, 0, -2, 5]);
});

Deno.test("scoredRows(): floor_penalties=keep keeps negative rewards at or below the floor", () => {
  const rewards = (floorPenalties?: "drop" | "keep") => [
    ...scoredRows([ROW], LOGPROBS, { ...RULE, floor: -1, ...floorPenalties ? { floorPenalties } : {} })[0]!
      .tokenRewards,
  ];
  assertEquals([rewards(), rewards("drop"), rewards("keep")], [[0, 0, 0, 18], [0, 0, 0, 18], [0, 0, -3, 18]]);
});

Deno.test("scoredRows() subtracts the baseline; the floors compare with the base", () => {
  const baseline = [f32(-2, -7, -4, -2)];
  const [row] = scoredRows([ROW], { ...LOGPROBS, baseline }, { ...RULE, floor: -6 });
  assertEquals([...row!.tokenRewards], [0.5, 0, -1, 0]);
});

Deno.test("length norms: the sum, per token, per root, and beyond a target length", () => {
  const reward = (lengthNorm: RewardRule["lengthNorm"], lengthTarget?: number) =>
    scoredRows([ROW], LOGPROBS, { ...RULE, lengthNorm, ...lengthTarget ? { lengthTarget } : {} })[0]!.reward;
  assertEquals([reward("mean"), reward("sqrt"), reward("target", 2), reward("target", 8)], [
    16.5 / 4,
    16.5 / 2,
    16.5 / 2,
    16.5,
  ]);
});

Deno.test("memberRewards() is the reward of each member alone; their mean is the reward without guards", () => {
  const rewards = memberRewards([ROW], LOGPROBS, RULE);
  assertEquals(rewards, [[20], [13]]);
  assertAlmostEquals(scoredRows([ROW], LOGPROBS, RULE)[0]!.reward, (20 + 13) / 2, 1e-6);
  assertEquals(memberRewards([ROW], LOGPROBS, { ...RULE, lengthNorm: "mean", eosBound: 1 }), [[0.5], [
    -0.75,
  ]]);
});

Deno.test("a soup is one member: its own log-probabilities", () => {
  const logprobs = { ...LOGPROBS, members: [LOGPROBS.members[1]!] };
  assertEquals([...scoredRows([ROW], logprobs, { ...RULE, combine: "soup" })[0]!.targetLogprobs], [
    -2,
    -9,
    -6,
    -3,
  ]);
});
