/**
 * Checks the functions of this folder against golden topics: PPO arithmetic in float64, computed by other programs. Called by the golden command and
 * the tests.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import {
  checkAggregate,
  checkCriticFree,
  checkExplainedVariance,
  checkGae,
  checkPrefixShift,
  checkWhiten,
} from "./golden_advantages.ts";
import {
  type GoldenCase,
  goldenCases,
  type GoldenCheck,
  type GoldenTally,
  goldenTally,
} from "./golden_case.ts";
import {
  checkKlLoss,
  checkLogits,
  checkPolicyLoss,
  checkValueLoss,
  type Evaluator,
} from "./golden_losses.ts";
import { checkAdaptiveKl, checkBaggedReward, checkKl, checkSrppoReward } from "./golden_rewards.ts";

export type { Evaluator, GoldenCheck };

/** Functions of other folders that topics use. */
export interface GoldenTools {
  /** runs the losses: policy_loss, value_loss, kl, logits */
  readonly evaluator: Evaluator;
  /** the learning-rate factor of a step under transformers' schedules: schedules */
  readonly scheduleFactor: (
    step: number,
    schedule: {
      readonly kind: "constant" | "linear" | "cosine";
      readonly totalSteps: number;
      readonly warmupSteps: number;
      readonly minRatio?: number;
      readonly cycles?: number;
    },
  ) => number;
}

/** The bar of all topics: float64 reaches 1e-12, float32 1e-5. */
const PPO_BAR = 1e-5;

type Checker = (golden: GoldenCase, tally: GoldenTally, tools: GoldenTools) => void;

const CHECKERS: Readonly<Record<string, Checker>> = {
  adaptive_kl: checkAdaptiveKl,
  aggregate: checkAggregate,
  bagged_reward: checkBaggedReward,
  critic_free: checkCriticFree,
  explained_variance: checkExplainedVariance,
  gae: checkGae,
  gae_bootstrap: checkGae,
  gae_interior_mask: checkGae,
  kl(golden, tally, { evaluator }) {
    checkKl(golden, tally);
    checkKlLoss(golden, tally, evaluator);
  },
  logits: (golden, tally, { evaluator }) => checkLogits(golden, tally, evaluator),
  policy_loss: (golden, tally, { evaluator }) => checkPolicyLoss(golden, tally, evaluator),
  prefix_shift: checkPrefixShift,
  schedules: checkSchedules,
  srppo_reward: checkSrppoReward,
  value_loss: (golden, tally, { evaluator }) => checkValueLoss(golden, tally, evaluator),
  whiten: checkWhiten,
};

/** Topics of {@linkcode checkPpoTopic}: all but `adamw`, which belongs to the optimizer. */
export const PPO_TOPICS: readonly string[] = Object.keys(CHECKERS);

/**
 * Checks every case of a topic, one line per quantity.
 *
 * @param topic one of {@linkcode PPO_TOPICS}
 * @param json the parsed file
 * @returns checks with their largest error over all cases; an error above the bar is a failure
 * @throws {DataError} if the topic is unknown or the file breaks its layout
 */
export function checkPpoTopic(topic: string, json: unknown, tools: GoldenTools): GoldenCheck[] {
  const checker = Object.hasOwn(CHECKERS, topic) ? CHECKERS[topic] : undefined;
  if (!checker) {
    throw new DataError(
      `The golden topic must be one of ${PPO_TOPICS.join(", ")}, got "${topic}"`,
    );
  }
  const tally = goldenTally(PPO_BAR);
  for (const golden of goldenCases(topic, json)) {
    checker(golden, tally, tools);
    golden.refuseUnknownKeys();
  }
  return tally.checks();
}

/** transformers' names of the shapes; warm-ups are part of every case. */
const SHAPES: Readonly<Record<string, "constant" | "linear" | "cosine">> = {
  constant: "constant",
  constant_with_warmup: "constant",
  linear: "linear",
  cosine: "cosine",
  cosine_with_min_lr: "cosine",
};

function checkSchedules(golden: GoldenCase, tally: GoldenTally, { scheduleFactor }: GoldenTools): void {
  const kind = golden.text("kind"), shape = SHAPES[kind];
  if (!shape) {
    throw new DataError(
      `The schedule's kind must be one of ${Object.keys(SHAPES).join(", ")}, got "${kind}"`,
    );
  }
  const base = golden.number("base_lr"), expected = golden.list("lr_at_step");
  const schedule = {
    kind: shape,
    totalSteps: golden.number("total_steps"),
    warmupSteps: golden.number("warmup_steps"),
    ...(golden.has("min_lr_rate") ? { minRatio: golden.number("min_lr_rate") } : {}),
    ...(golden.has("num_cycles") ? { cycles: golden.number("num_cycles") } : {}),
  };
  // relative to the base rate: absolute rates of 1e-5 would pass any bar
  const factors = expected.map((_, step) => scheduleFactor(step, schedule));
  tally.compare(`${kind} / base_lr`, factors, expected.map((rate) => rate / base));
}
