/** What PPO is paid: the response's reward at its last token, and a KL penalty at every token. @module */
import { moments, sampleDeviation } from "./moments.ts";
import { checkEqualLengths, type Row } from "./rows.ts";

/** Centre and scale of the reward; fitted once, kept in the trainer's state. */
export interface RewardScale {
  /** subtracted from raw rewards, nats */
  readonly centre: number;
  /** divides what is left, above 0 */
  readonly scale: number;
}

/** No centring, no scaling. */
export const UNIT_SCALE: RewardScale = { centre: 0, scale: 1 };

/**
 * Mean and sample standard deviation (n − 1) of the rewards of the first batch, whose responses are SFT's own.
 *
 * Source: Ziegler et al. 2019 (arXiv:1909.08593), section 2: reward normalised once on samples of the starting policy.
 * Differs from it: where the spread is 0 or unknown (equal rewards, one response), the scale is 1.
 * @throws {RangeError} if there is no reward or one is not finite
 * @example Two responses
 * ```ts
 * import { fitRewardScale } from "@/lib/rl/ppo_rewards.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(fitRewardScale([1, 3]), { centre: 2, scale: Math.SQRT2 });
 * ```
 */
export function fitRewardScale(rawRewards: Row): RewardScale {
  const bad = Array.from(rawRewards).flatMap((r, b) => Number.isFinite(r) ? [] : [`response ${b} has ${r}`]);
  if (rawRewards.length === 0 || bad.length > 0) {
    throw new RangeError(
      `Cannot fit the reward's scale as it needs at least one finite reward and no other: ${
        bad.length > 0 ? bad.join(", ") : "there is none"
      }`,
    );
  }
  const { mean } = moments([rawRewards]);
  const deviation = sampleDeviation(rawRewards);
  return { centre: mean, scale: deviation > 0 ? deviation : 1 };
}

/**
 * (raw − centre)/scale, clipped to ±clip.
 * @param clip default: no clip. PPO-max and the 37 details clip to 10
 */
export function scaleReward(rawReward: number, { centre, scale }: RewardScale, clip = Infinity): number {
  return Math.min(Math.max((rawReward - centre) / scale, -clip), clip);
}

/** What becomes of a response that did not end by itself, as parameters spell it. */
export const MISSING_EOS = ["score", "penalty", "mask"] as const;

/** One of {@linkcode MISSING_EOS}. */
export type MissingEos = typeof MISSING_EOS[number];

/** What a cut response is worth behind its last token, as parameters spell it: nothing, or what the critic says of that state. */
export const TRUNCATED_VALUES = ["zero", "bootstrap"] as const;

/** Where the reward is paid, as parameters spell it. */
export const PLACEMENTS = ["eos", "dense"] as const;

/** One of {@linkcode PLACEMENTS}. */
export type Placement = typeof PLACEMENTS[number];

/**
 * r_t = −β·kl_t + earned_t, and at the last token, whether that is EOS or not, what `reward` has beyond the sum of `earned`, [R].
 *
 * With nothing earned before, the response's reward is paid at its end; with rewards per token as `earned`, as they fall, and only what
 * centring, clipping or a penalty changed about their sum is paid at the end. Both pay a response the same in all.
 * Source: Ziegler et al. 2019, eq. 2, with k1 = log π_old − log π_ref per token (Ouyang et al. 2022, eq. 2).
 * β is in the units of `reward`: with a scaled reward, give β/scale, so that centring and scaling leave the optimum where β nats put it.
 *
 * @param kl per token, nats; k1 for a penalty whose expectation is the KL
 * @param options.beta non-negative
 * @param options.reward of the response; default 0. null: the response was cut and its end is still to come, so that nothing but
 * `earned` is paid for it here
 * @param options.earned per token, [R], in the units of `reward`; default 0
 * @throws {RangeError} if the response has no token to be paid at
 * @throws {ShapeError} if `earned` has another length
 * @example Three tokens, paid at the end and as they fall
 * ```ts
 * import { ppoRewards } from "@/lib/rl/ppo_rewards.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...ppoRewards([1, 2, -1], { beta: 0.5, reward: 3 })], [-0.5, -1, 3.5]);
 * assertEquals([...ppoRewards([0, 0, 0], { beta: 0.5, reward: 3, earned: [1, 4, 2] })], [1, 4, -2]); // 4 fewer at the end
 * ```
 */
export function ppoRewards(
  kl: Row,
  options: { readonly beta: number; readonly reward?: number | null; readonly earned?: Row },
): Float64Array<ArrayBuffer> {
  if (kl.length === 0) throw new RangeError("Cannot pay a reward as a response must have a token: it has 0");
  const { beta, reward = 0, earned } = options;
  if (earned) checkEqualLengths({ kl, earned });
  const rewards = Float64Array.from(kl, (x) => -beta * x);
  let rest = reward ?? 0;
  if (earned) {
    for (let t = 0; t < rewards.length; t++) {
      rewards[t]! += earned[t]!;
      rest -= earned[t]!;
    }
  }
  if (reward !== null) rewards[rewards.length - 1]! += rest;
  return rewards;
}
