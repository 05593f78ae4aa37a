/** The files of fixtures/rl_libraries: how many cases each has, and how they are compared. @module */
import { type Compared, largestDifference } from "./compare.ts";
import { checkDpoLoss, checkGrpoIteration, checkGrpoLoss } from "./trl.ts";
import {
  checkAdaptiveKl,
  checkAggregate,
  checkCriticFree,
  checkGae,
  checkKl,
  checkPolicyLoss,
  checkTokenRewards,
  checkValueLoss,
  checkWhiten,
} from "./verl.ts";

/** A file of goldens. */
export interface Topic {
  /** number of cases */
  readonly cases: number;
  /** largest difference that is accepted */
  readonly bar: number;
  /** fields with a known difference, by case; where one agrees, this project has changed: remove it here */
  readonly different?: Readonly<Record<number, readonly string[]>>;
  /** compares one case of the file's JSON */
  // deno-lint-ignore no-explicit-any
  readonly check: (golden: any) => Compared;
}

/** verl adds 1e-8 to the number of tokens of a mean; the rest of a float64 difference is the 12 digits of the files. */
const FLOAT64 = 1e-7;
/** TRL's iteration is in float32, its logits have 7 digits. */
const FLOAT32 = 5e-6;

/** All files by name. */
export const TOPICS: Readonly<Record<string, Topic>> = {
  verl_gae: { cases: 5, bar: FLOAT64, check: checkGae },
  verl_whiten: { cases: 6, bar: FLOAT64, check: checkWhiten },
  verl_policy_loss: {
    cases: 10,
    bar: FLOAT64,
    different: { 9: ["approx_kl"] }, // policyStatistics() takes the mean of log-ratios as they are, verl clips them to ±20
    check: checkPolicyLoss,
  },
  verl_weighted_policy_loss: { cases: 3, bar: FLOAT64, check: checkPolicyLoss },
  verl_value_loss: { cases: 5, bar: FLOAT64, check: checkValueLoss },
  verl_aggregate: { cases: 9, bar: FLOAT64, check: checkAggregate },
  verl_kl: { cases: 7, bar: FLOAT64, check: checkKl },
  verl_token_rewards: { cases: 2, bar: FLOAT64, check: checkTokenRewards },
  verl_critic_free: { cases: 14, bar: FLOAT64, check: checkCriticFree },
  verl_adaptive_kl: { cases: 2, bar: FLOAT64, check: checkAdaptiveKl },
  trl_grpo_loss: { cases: 16, bar: FLOAT64, check: checkGrpoLoss },
  trl_grpo_iteration: { cases: 5, bar: FLOAT32, check: checkGrpoIteration },
  trl_dpo_loss: { cases: 12, bar: FLOAT64, check: checkDpoLoss },
};

/** Returns the largest difference of every compared field of a case. */
export function differences({ check }: Topic, golden: unknown): [field: string, difference: number][] {
  return Object.entries(check(golden))
    .map(([field, [actual, expected]]) => [field, largestDifference(actual, expected)]);
}

/** Returns the fields of a case that differ by more than the bar. */
export function tooFar(topic: Topic, golden: unknown): string[] {
  return differences(topic, golden).filter(([, difference]) => difference > topic.bar).map(([field]) =>
    field
  );
}
