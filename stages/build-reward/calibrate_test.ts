/** Calibration figures and their checks, on answers whose figures are plain to see. @module */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { answerFigures, calibrationWarnings, checkCalibration, flatFigures } from "./calibrate.ts";

const END = 2;

/** An answer whose tokens earn `rewards` where the base gives them `base`; it ends if `ended`. */
function answer(rewards: readonly number[], base: readonly number[], ended: boolean): ScoredRow {
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

Deno.test("answerFigures() are those worked by hand", () => {
  const rows = [
    answer([1, 0, 3], [-1, -7, -20], true), // 4; the end is below the floor and not counted there
    answer([2, -2, 1, 1], [-1, -6, -1, -2], false), // 2; −6 is at the floor
  ];
  const figures = answerFigures(rows, { floor: -6, eosIds: [END] });
  assertEquals(
    [figures.answers, figures.reward_mean, figures.response_length, figures.eos_rate, figures.eos_mean],
    [2, 3, 3.5, 0.5, 3],
  );
  assertAlmostEquals(figures.reward_std, Math.SQRT2, 1e-12);
  assertAlmostEquals(figures.reward_stderr, 1, 1e-12);
  assertEquals(figures.length_correlation, -1);
  assertEquals(figures.eos_share, 3 / 10);
  assertEquals(figures.floor_share, 2 / 6);
  assertEquals(answerFigures(rows, { floor: null, eosIds: [END] }).floor_share, 0);
});

Deno.test("figures that are undefined are null, and left out of reward.json", () => {
  const figures = answerFigures([answer([1], [-1], false)], { floor: null, eosIds: [END] });
  assertEquals([figures.length_correlation, figures.eos_mean, figures.reward_std], [null, null, 0]);
  assertEquals(Object.keys(flatFigures({ sft: figures, base: figures })), [
    ...[
      "answers",
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
      "answers",
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

Deno.test("checkCalibration() refuses a reward that does not prefer SFT answers", () => {
  const of = (reward: number) =>
    answerFigures([answer([reward], [-1], false)], { floor: null, eosIds: [END] });
  checkCalibration({ sft: of(2), base: of(1) }, { isPaperReward: false });
  const swapped = assertThrows(
    () => checkCalibration({ sft: of(-1), base: of(1) }, { isPaperReward: false }),
    DataError,
  );
  assertEquals(
    swapped.message,
    "Cannot build a reward as answers of the SFT model must earn more than those of the base: the mean on 1 answers of the " +
      "SFT model is -1.00 ± 0.00 nats, on 1 of the base 1.00 ± 0.00 nats; base and SFT models may be swapped, or the " +
      "members were trained on other demonstrations",
  );
  assertThrows(() => checkCalibration({ sft: of(1), base: of(1) }, { isPaperReward: false }), DataError);
});

Deno.test("a few answers that earn less by chance are a warning and no error", () => {
  const of = (...rewards: readonly number[]) =>
    answerFigures(rewards.map((reward) => answer([reward], [-1], false)), { floor: null, eosIds: [END] });
  // Means −0.5 and 0, errors 0.5 and 1: the difference is half of its error.
  const calibration = { sft: of(-1, 0), base: of(-1, 1) };
  checkCalibration(calibration, { isPaperReward: false });
  checkCalibration(calibration, { isPaperReward: true });
  assertEquals(calibrationWarnings(calibration), [
    "answers of the SFT model earn no more than those of the base: the mean on 2 answers of the SFT model is -0.50 ± 0.50 " +
    "nats, on 2 of the base 0.00 ± 1.00 nats; that may be chance",
  ]);
  assertEquals(calibrationWarnings({ sft: of(1, 2), base: of(-1, 1) }), []);
  assertThrows(
    () => checkCalibration({ sft: of(-4, -3), base: of(-1, 1) }, { isPaperReward: false }),
    DataError,
  );
});

Deno.test("checkCalibration() holds the paper's reward to its identity: above 0 and below 0", () => {
  const of = (reward: number) =>
    answerFigures([answer([reward], [-1], false)], { floor: null, eosIds: [END] });
  checkCalibration({ sft: of(2), base: of(-1) }, { isPaperReward: true });
  const error = assertThrows(
    () => checkCalibration({ sft: of(2), base: of(1) }, { isPaperReward: true }),
    DataError,
  );
  assertEquals(
    error.message,
    "Cannot build a reward as one unbounded member must earn more than 0 with its own answers and less with the base's: the " +
      "mean on 1 answers of the SFT model is 2.00 ± 0.00 nats, on 1 of the base 1.00 ± 0.00 nats; the means are KL " +
      "divergences, KL(SFT‖base) and −KL(base‖SFT), so a model is not what it is said to be, or SFT has hardly moved it",
  );
});
