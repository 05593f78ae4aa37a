/** Tests calibration statistics and their checks on responses with obvious statistics. @module */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { calibrationWarnings, checkCalibration, flatStatistics, responseStatistics } from "./calibrate.ts";

const END = 2;

/** A response with token rewards `rewards` and log-probabilities `base`; it ends with EOS if `ended`. */
function response(rewards: readonly number[], base: readonly number[], ended: boolean): ScoredRow {
  const responseIds = Int32Array.from(rewards, (_, t) => ended && t === rewards.length - 1 ? END : 10);
  const list = Float32Array.from(base), rawReward = rewards.reduce((a, b) => a + b, 0);
  return {
    id: "a",
    promptId: "p",
    sample: 0,
    promptIds: Int32Array.of(1),
    responseIds,
    logprobs: list,
    logprobsT1: null,
    finishReason: ended ? "eos" : "length",
    meta: "{}",
    sftLogprobs: list,
    targetLogprobs: list,
    baseLogprobs: list,
    tokenRewards: Float32Array.from(rewards),
    rawReward,
    reward: rawReward,
    baseNll: null,
  };
}

Deno.test("responseStatistics() are those computed by hand", () => {
  const rows = [
    response([1, 0, 3], [-1, -7, -20], true), // 4; EOS is below the floor, but not counted
    response([2, -2, 1, 1], [-1, -6, -1, -2], false), // 2; −6 is at the floor
  ];
  const statistics = responseStatistics(rows, { floor: -6, eosIds: [END] });
  assertEquals(
    [
      statistics.responses,
      statistics.reward_mean,
      statistics.response_length,
      statistics.eos_rate,
      statistics.eos_mean,
    ],
    [2, 3, 3.5, 0.5, 3],
  );
  assertAlmostEquals(statistics.reward_std, Math.SQRT2, 1e-12);
  assertAlmostEquals(statistics.reward_stderr, 1, 1e-12);
  assertEquals(statistics.length_correlation, -1);
  assertEquals(statistics.eos_share, 3 / 10);
  assertEquals(statistics.floor_share, 2 / 6);
  assertEquals(responseStatistics(rows, { floor: null, eosIds: [END] }).floor_share, 0);
});

Deno.test("undefined statistics are null, and left out of reward.json", () => {
  const statistics = responseStatistics([response([1], [-1], false)], { floor: null, eosIds: [END] });
  assertEquals([statistics.length_correlation, statistics.eos_mean, statistics.reward_std], [null, null, 0]);
  assertEquals(Object.keys(flatStatistics({ sft: statistics, base: statistics })), [
    ...[
      "responses",
      "reward_mean",
      "reward_std",
      "reward_stderr",
      "response_length",
      "eos_rate",
      "eos_share",
      "floor_share",
    ]
      .map((name) => `sft_${name}`),
    ...[
      "responses",
      "reward_mean",
      "reward_std",
      "reward_stderr",
      "response_length",
      "eos_rate",
      "eos_share",
      "floor_share",
    ]
      .map((name) => `base_${name}`),
  ]);
});

Deno.test("checkCalibration() requires a higher mean reward on SFT responses", () => {
  const of = (reward: number) =>
    responseStatistics([response([reward], [-1], false)], { floor: null, eosIds: [END] });
  checkCalibration({ sft: of(2), base: of(1) }, { isPaperReward: false });
  const swapped = assertThrows(
    () => checkCalibration({ sft: of(-1), base: of(1) }, { isPaperReward: false }),
    DataError,
  );
  assertEquals(
    swapped.message,
    "SFT responses must have a higher mean reward than base responses, got -1.00 ± 0.00 nats (SFT, n = 1) and " +
      "1.00 ± 0.00 nats (base, n = 1): base and SFT models may be swapped, or the members were trained on other demonstrations",
  );
  assertThrows(() => checkCalibration({ sft: of(1), base: of(1) }, { isPaperReward: false }), DataError);
});

Deno.test("a lower mean reward within chance is a warning and not an error", () => {
  const of = (...rewards: readonly number[]) =>
    responseStatistics(rewards.map((reward) => response([reward], [-1], false)), {
      floor: null,
      eosIds: [END],
    });
  // Means −0.5 and 0, errors 0.5 and 1: the difference is half of its error.
  const calibration = { sft: of(-1, 0), base: of(-1, 1) };
  checkCalibration(calibration, { isPaperReward: false });
  checkCalibration(calibration, { isPaperReward: true });
  assertEquals(calibrationWarnings(calibration), [
    "SFT responses do not have a higher mean reward than base responses (-0.50 ± 0.50 nats (SFT, n = 2) and 0.00 ± 1.00 " +
    "nats (base, n = 2)), but the difference is within two standard errors",
  ]);
  assertEquals(calibrationWarnings({ sft: of(1, 2), base: of(-1, 1) }), []);
  assertThrows(
    () => checkCalibration({ sft: of(-4, -3), base: of(-1, 1) }, { isPaperReward: false }),
    DataError,
  );
});

Deno.test("checkCalibration() requires of the paper's reward KL divergences: above 0 and below 0", () => {
  const of = (reward: number) =>
    responseStatistics([response([reward], [-1], false)], { floor: null, eosIds: [END] });
  checkCalibration({ sft: of(2), base: of(-1) }, { isPaperReward: true });
  const error = assertThrows(
    () => checkCalibration({ sft: of(2), base: of(1) }, { isPaperReward: true }),
    DataError,
  );
  assertEquals(
    error.message,
    "The mean reward must be above 0 on SFT responses, KL(SFT‖base), and below 0 on base responses, −KL(base‖SFT), got " +
      "2.00 ± 0.00 nats (SFT, n = 1) and 1.00 ± 0.00 nats (base, n = 1): one of the models may be wrong, or SFT has hardly " +
      "changed the base model",
  );
});
