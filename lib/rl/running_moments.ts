/** Mean and deviation of rewards over all rounds so far, as numbers that a trainer's state can hold. @module */
import { moments } from "./moments.ts";
import type { RewardScale } from "./ppo_rewards.ts";
import type { Row } from "./rows.ts";

/** Moments of everything seen. */
export interface RunningMoments {
  /** how many numbers */
  readonly count: number;
  readonly mean: number;
  /** Σ(x − mean)² */
  readonly squares: number;
}

/** Nothing seen yet. */
export const NO_MOMENTS: RunningMoments = { count: 0, mean: 0, squares: 0 };

/**
 * The moments after `numbers` too, those of all numbers at once but for rounding.
 *
 * With δ = mean_b − mean_a: mean = mean_a + δ·n_b/n, S = S_a + S_b + δ²·n_a·n_b/n.
 * Source: Chan, Golub & LeVeque 1983, eq. 1.5.
 *
 * @example Two batches
 * ```ts
 * import { mergeMoments, NO_MOMENTS } from "@/lib/rl/running_moments.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(mergeMoments(mergeMoments(NO_MOMENTS, [1, 3]), [5, 7]), { count: 4, mean: 4, squares: 20 });
 * ```
 */
export function mergeMoments(known: RunningMoments, numbers: Row): RunningMoments {
  if (numbers.length === 0) return known;
  const added = moments([numbers]), count = known.count + added.count, delta = added.mean - known.mean;
  return {
    count,
    mean: known.mean + delta * added.count / count,
    squares: known.squares + added.variance * added.count + delta ** 2 * known.count * added.count / count,
  };
}

/**
 * Centre and scale of the reward by all rounds so far: mean, and sample deviation (n − 1), 1 where there is no spread.
 *
 * Source: PPO-max (Zheng et al. 2023, arXiv:2307.04964) and the 37 details scale rewards by a running deviation; they do not centre.
 */
export function runningScale({ count, mean, squares }: RunningMoments): RewardScale {
  const deviation = Math.sqrt(squares / (count - 1));
  return { centre: mean, scale: deviation > 0 ? deviation : 1 };
}
