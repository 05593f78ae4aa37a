/**
 * Learning-rate schedules, as factors of the base rate. Two conventions are in use: the warm-up of transformers starts at
 * 0, so its first update changes nothing; that of the quickstart starts at 1/w. Steps are numbered from 0.
 * @module
 */

/** Names of the shapes after the warm-up. */
export const SCHEDULES = ["constant", "linear", "cosine"] as const;

/** One of {@linkcode SCHEDULES}. */
export type ScheduleKind = typeof SCHEDULES[number];

/** A schedule over a known number of steps. */
export interface Schedule {
  /** shape after the warm-up */
  readonly kind: ScheduleKind;
  /** n: optimizer steps of the whole run; not used by `constant` */
  readonly totalSteps: number;
  /** w: steps of the warm-up */
  readonly warmupSteps: number;
  /** factor at the end of `linear` and `cosine`, in [0, 1]; default 0 */
  readonly minRatio?: number;
  /** number of cosine periods after the warm-up; default 0.5, one decay */
  readonly cycles?: number;
}

/**
 * Returns the factor of step s as in `transformers.get_scheduler`: s/w while s < w, then the shape over the other steps.
 *
 * f(s) = s/w for s < w; after it, with p = (s − w)/max(1, n − w): constant 1, linear m + (1−m)·max(0, 1−p), cosine m + (1−m)·½(1 + cos 2πcp), c = cycles = ½.
 * Source: transformers 4.57, optimization.py (`linear`, `cosine`, `constant_with_warmup`, `cosine_with_min_lr`). As in transformers, a cosine rises again after the last step.
 *
 * @param step s, from 0
 * @throws {RangeError} if a setting is out of range
 * @example The first update of a warm-up has factor 0
 * ```ts
 * import { transformersFactor } from "@/lib/model/train/schedule.ts";
 * import { assertEquals } from "@std/assert";
 * const schedule = { kind: "linear", totalSteps: 20, warmupSteps: 4 } as const;
 * assertEquals([0, 1, 4, 12, 20].map((s) => transformersFactor(s, schedule)), [0, 0.25, 1, 0.5, 0]);
 * ```
 */
export function transformersFactor(step: number, schedule: Schedule): number {
  checkSchedule(step, schedule);
  const { totalSteps, warmupSteps } = schedule;
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  return shapeFactor((step - warmupSteps) / Math.max(1, totalSteps - warmupSteps), schedule);
}

/**
 * Returns the factor of step s as in the quickstart's reference: the first update has factor 1/w.
 *
 * f(s) = min(1, (s+1)/w) · shape(max(0, s − w)/max(1, n − w)), shapes as in {@linkcode transformersFactor}.
 * Steps w−1 and w both have factor 1, and the minimum would be reached one step after the last, n − 1. A warm-up of 0 steps counts as 1.
 *
 * @param step s, from 0
 * @throws {RangeError} if a setting is out of range
 * @example Warm-up from 1, cosine to a tenth
 * ```ts
 * import { quickstartFactor } from "@/lib/model/train/schedule.ts";
 * import { assertEquals } from "@std/assert";
 * const schedule = { kind: "cosine", totalSteps: 20, warmupSteps: 2, minRatio: 0.1 } as const;
 * assertEquals([0, 1, 2].map((s) => quickstartFactor(s, schedule)), [0.5, 1, 1]);
 * ```
 */
export function quickstartFactor(step: number, schedule: Schedule): number {
  checkSchedule(step, schedule);
  const { totalSteps } = schedule;
  const warmupSteps = Math.max(1, schedule.warmupSteps);
  const progress = Math.max(0, step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  return Math.min(1, (step + 1) / warmupSteps) * shapeFactor(progress, schedule);
}

/** Returns the steps of a warm-up from its share of the run: ⌊ratio · total⌋ and at least 1, as in the quickstart's reference. */
export function warmupStepsOf(ratio: number, totalSteps: number): number {
  return Math.max(1, Math.floor(ratio * totalSteps));
}

/**
 * Returns the policy's factor in PPO iteration i: 0 during the critic's warm-up, then 1/w, 2/w, … 1.
 *
 * f(i) = clip((i − criticWarmupIterations + 1)/max(1, lrWarmupIterations), 0, 1).
 *
 * @param iteration i, from 0
 */
export function policyWarmupFactor(
  iteration: number,
  options: { readonly criticWarmupIterations: number; readonly lrWarmupIterations: number },
): number {
  const { criticWarmupIterations, lrWarmupIterations } = options;
  return Math.min(1, Math.max(0, iteration - criticWarmupIterations + 1) / Math.max(1, lrWarmupIterations));
}

/** Returns the shape after the warm-up at `progress`: 0 at its start, 1 at its end. */
function shapeFactor(progress: number, { kind, minRatio = 0, cycles = 0.5 }: Schedule): number {
  switch (kind) {
    case "constant":
      return 1;
    case "linear":
      return minRatio + (1 - minRatio) * Math.max(0, 1 - progress);
    case "cosine":
      return minRatio + (1 - minRatio) * Math.max(0, 0.5 * (1 + Math.cos(2 * Math.PI * cycles * progress)));
  }
}

function checkSchedule(step: number, { totalSteps, warmupSteps, minRatio = 0 }: Schedule): void {
  const bad: string[] = [];
  for (const [name, count] of Object.entries({ step, totalSteps, warmupSteps })) {
    if (!Number.isInteger(count) || count < 0) {
      bad.push(`${name} must be a non-negative integer, got ${count}`);
    }
  }
  if (!(minRatio >= 0 && minRatio <= 1)) bad.push(`minRatio must be in [0, 1], got ${minRatio}`);
  if (bad.length > 0) throw new RangeError(`Invalid learning-rate schedule: ${bad.join("; ")}`);
}
