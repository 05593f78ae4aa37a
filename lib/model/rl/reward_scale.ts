/** Centre and scale of the reward: fitted on one batch of rewards, or on all batches so far. @module */
import { listed } from "@/lib/compute/tensor/listed.ts";
import { moments, sampleDeviation } from "./moments.ts";
import type { Row } from "./rows.ts";

/** Centre and scale of the reward, as the trainer's state keeps them. */
export interface RewardScale {
  /** subtracted from raw rewards, nats */
  readonly centre: number;
  /** divides the difference, above 0 */
  readonly scale: number;
}

/** No centring, no scaling. */
export const UNIT_SCALE: RewardScale = { centre: 0, scale: 1 };

/**
 * Returns mean and sample standard deviation (n − 1) of the rewards.
 *
 * Source: Ziegler et al. 2019 (arXiv:1909.08593), section 2: the reward is normalised once, on samples of the initial policy.
 * Differs from it: where the deviation is 0 or undefined (equal rewards, one response), the scale is 1.
 * @throws {RangeError} if there is no reward or one is not finite
 * @example Two responses
 * ```ts
 * import { fitRewardScale } from "@/lib/model/rl/reward_scale.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(fitRewardScale([1, 3]), { centre: 2, scale: Math.SQRT2 });
 * ```
 */
export function fitRewardScale(rawRewards: Row): RewardScale {
  const bad = Array.from(rawRewards).flatMap((r, b) => Number.isFinite(r) ? [] : [`${r} in response ${b}`]);
  if (rawRewards.length === 0 || bad.length > 0) {
    throw new RangeError(
      `The reward scale requires at least one reward, all finite, got ${
        bad.length > 0 ? listed(bad, { separator: ", " }) : "none"
      }`,
    );
  }
  const { mean } = moments([rawRewards]);
  return { centre: mean, scale: positiveOr1(sampleDeviation(rawRewards)) };
}

/** Count, mean, and sum of squared distances from the mean: what a trainer's state keeps of all rewards so far. */
export interface RunningMoments {
  readonly count: number;
  readonly mean: number;
  /** Σ(x − mean)² */
  readonly squares: number;
}

/** The moments of no numbers. */
export const NO_MOMENTS: RunningMoments = { count: 0, mean: 0, squares: 0 };

/**
 * Returns the moments of all numbers so far and the new ones, equal to those of all at once up to rounding.
 *
 * With δ = mean_b − mean_a: mean = mean_a + δ·n_b/n, S = S_a + S_b + δ²·n_a·n_b/n.
 * Source: Chan, Golub & LeVeque 1983, eq. 1.5.
 *
 * @example Two batches
 * ```ts
 * import { mergeMoments, NO_MOMENTS } from "@/lib/model/rl/reward_scale.ts";
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
 * Returns centre and scale by running moments: mean, and sample deviation (n − 1) or 1 where that is 0 or undefined.
 *
 * Source: PPO-max (Zheng et al. 2023, arXiv:2307.04964) and the 37 details scale rewards by a running deviation; they do not centre.
 */
export function runningScale({ count, mean, squares }: RunningMoments): RewardScale {
  return { centre: mean, scale: positiveOr1(Math.sqrt(squares / (count - 1))) };
}

function positiveOr1(deviation: number): number {
  return deviation > 0 ? deviation : 1;
}

/**
 * Returns (raw − centre)/scale, clipped to ±clip.
 * @param clip default: no clip. PPO-max and the 37 details clip to 10
 */
export function scaleReward(rawReward: number, { centre, scale }: RewardScale, clip = Infinity): number {
  return Math.min(Math.max((rawReward - centre) / scale, -clip), clip);
}
