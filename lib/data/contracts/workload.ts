/**
 * How much work a run of a stage is, for the estimate of a run's time. A stage says how many tokens it trains on, scores and samples;
 * the time of a token is measured on the machine of the run.
 * @module
 */

/** Lower and upper bound of a number that is not known exactly. */
export type Range = readonly [least: number, most: number];

/** Kinds of steps that are timed. */
export const STEP_KINDS = ["trained", "scored", "sampled"] as const;

/** One of {@linkcode STEP_KINDS}. */
export type StepKind = typeof STEP_KINDS[number];

/** Tokens of one run of a stage by kind of step, and what later stages of the plan can expect from it. */
export interface Workload extends Partial<Readonly<Record<StepKind, Range>>> {
  readonly expected?: Expected;
}

/** What is known about data that do not exist yet; undefined: not known. */
export interface Expected {
  /** mean length of prompts */
  readonly promptTokens?: number;
  /** mean length of responses */
  readonly responseTokens?: number;
  /** responses of an iteration */
  readonly rollouts?: number;
  /** bounds of the mean length of prompt and response together, of the rollouts */
  readonly rolloutTokens?: Range;
  /** updates of the policy in all iterations */
  readonly policyUpdates?: number;
  /** models that a reward is computed with */
  readonly rewardModels?: number;
}

/** What a stage knows about a run of itself before it. */
export interface WorkContext<Params> {
  readonly params: Params;
  /** paths of input files that exist already, by port */
  readonly inputs: Readonly<Record<string, string>>;
  /** number of values of each bound input */
  readonly counts: Readonly<Record<string, number>>;
  /** iterations of its loop; 1 outside */
  readonly iterations: number;
  readonly expected: Expected;
}

/** Returns `range` times `factor`. */
export function times([least, most]: Range, factor: number): Range {
  return [least * factor, most * factor];
}

/** Returns the sum of ranges. */
export function total(ranges: Iterable<Range>): Range {
  let [least, most] = [0, 0];
  for (const range of ranges) {
    least += range[0];
    most += range[1];
  }
  return [least, most];
}

/**
 * Returns bounds of the mean length of responses that a model samples: like the demonstrations, or as long as allowed. Without
 * demonstrations the lower bound is half of what is allowed.
 */
export function sampledLength({ responseTokens }: Expected, maxNewTokens: number): Range {
  return [Math.min(responseTokens ?? maxNewTokens / 2, maxNewTokens), maxNewTokens];
}
