/**
 * The reward of each token: how much more likely the members find it than a baseline, under guards, and how likely they find
 * it.
 * @module
 */
import { checkEqualLengths, type Row } from "./rows.ts";

/** What `floor` does with negative rewards, as parameters spell it: it removes them too, or keeps them. */
export const FLOOR_PENALTIES = ["drop", "keep"] as const;

/** One of {@linkcode FLOOR_PENALTIES}. */
export type FloorPenalties = typeof FLOOR_PENALTIES[number];

/** Guards of {@linkcode tokenRewards}; null = off. */
export interface TokenGuards {
  /** nats, negative: a token whose base log-probability is at most this gets reward 0 (EOS excepted) */
  readonly floor: number | null;
  /** `keep`: such a token keeps a negative reward. Default `drop` */
  readonly floorPenalties?: FloorPenalties | undefined;
  /** nats, negative: the same for a token whose base and target log-probability are both at most this */
  readonly floorBoth: number | null;
  /** nats, positive: a token's reward is clipped to ± this; at EOS only where `eosBound` is null */
  readonly tokenCap: number | null;
  /** nats, positive: the reward of EOS is clipped to ± this */
  readonly eosBound: number | null;
  /** w of {@linkcode tokenRewards}, 0 to 1; absent = 1 */
  readonly baseWeight?: number;
}

/** Log-probabilities of one response, [R], nats. */
export interface TokenRewardInputs {
  /** of the members, combined */
  readonly target: Row;
  /** of the pretrained base: both floors apply to it */
  readonly base: Row;
  /** of the model that is subtracted: the base itself, or an intermediate SFT checkpoint */
  readonly baseline: Row;
  /** 1 where the token is an end-of-sequence token, 0 elsewhere */
  readonly isEos: Row;
}

/**
 * Returns the reward of each response token, [R], nats: w·g + (1 − w)·target, with w = baseWeight and g the guarded ratio
 * target − baseline:
 *
 * at EOS: clip(target − baseline, ±eosBound), or ± tokenCap without an eosBound;
 * elsewhere: 0 where base ≤ floor, 0 where base ≤ floorBoth and target ≤ floorBoth, else clip(target − baseline, ±tokenCap).
 *
 * Without guards this is target − w·baseline. With w = 0 it is the members' log-probability, so that PPO sharpens SFT.
 *
 * With floorPenalties `keep`, a token with base ≤ floor gets min(clip(target − baseline, ±tokenCap), 0) instead of 0: the floor then takes only the gain of text that
 * the base finds next to impossible, not the penalty of text that the members find even less likely.
 *
 * Source: the ratio is that of Zhang et al. 2025, Self-Rewarding PPO (arXiv:2510.21090), after Watson et al. 2023 (arXiv:2305.16498). The guards are
 * ours: text that the base finds next to impossible would get most of the reward, and an EOS that the base never emits a constant that hides
 * everything else. `floorBoth` is the milder floor: it removes the reward of text that no model expects, where a ratio of two tiny probabilities is
 * noise, and keeps that of text that the members alone have learned. `tokenCap` keeps one token from outweighing the rest of a response, as PPO clips
 * a ratio. `baseWeight` keeps what the base knows already: with w = 1, a token that SFT has made less likely than the base did has a negative
 * reward even if it is right.
 *
 * @throws {ShapeError} if the lengths differ
 * @throws {RangeError} if a bound is negative, or baseWeight is not within 0 and 1
 * @example A token that only the base finds unlikely, one that both do, a capped token, and EOS
 * ```ts
 * import { tokenRewards } from "@/lib/model/rl/token_rewards.ts";
 * import { assertEquals } from "@std/assert";
 * const base = [-9, -9, -3, -27];
 * const logprobs = { target: [-1, -8, -0.5, -1], base, baseline: base, isEos: [0, 0, 0, 1] };
 * const off = { floor: null, floorBoth: null, tokenCap: null, eosBound: null };
 * assertEquals([...tokenRewards(logprobs, off)], [8, 1, 2.5, 26]);
 * assertEquals([...tokenRewards(logprobs, { ...off, floorBoth: -6, tokenCap: 2 })], [2, 0, 2, 2]);
 * assertEquals([...tokenRewards(logprobs, { ...off, floor: -6, tokenCap: 2, eosBound: 5 })], [0, 0, 2, 5]);
 * assertEquals([...tokenRewards(logprobs, { ...off, baseWeight: 0.5 })], [3.5, -3.5, 1, 12.5]);
 * ```
 */
export function tokenRewards(
  { target, base, baseline, isEos }: TokenRewardInputs,
  { floor, floorPenalties = "drop", floorBoth, tokenCap, eosBound, baseWeight = 1 }: TokenGuards,
): Float64Array<ArrayBuffer> {
  checkEqualLengths({ target, base, baseline, isEos });
  const cap = tokenCap ?? Infinity, bound = eosBound ?? cap;
  if (!(cap >= 0 && bound >= 0)) {
    throw new RangeError(`tokenCap and eosBound must be at least 0, got ${tokenCap} and ${eosBound}`);
  }
  if (!(baseWeight >= 0 && baseWeight <= 1)) {
    throw new RangeError(`baseWeight must be within 0 and 1, got ${baseWeight}`);
  }
  // Not w·g + 0·target for w = 1: target may be −Infinity.
  const weighted = (g: number, m: number) => baseWeight === 1 ? g : baseWeight * g + (1 - baseWeight) * m;
  const low = floor ?? -Infinity, lowBoth = floorBoth ?? -Infinity;
  return Float64Array.from(target, (m, t) => {
    const ratio = m - baseline[t]!, b = base[t]!;
    if (isEos[t] !== 0) return weighted(clipped(ratio, bound), m);
    if (Math.max(b, m) <= lowBoth) return weighted(0, m);
    if (b > low || floorPenalties === "keep" && ratio < 0) return weighted(clipped(ratio, cap), m);
    return weighted(0, m);
  });
}

function clipped(x: number, bound: number): number {
  return Math.min(Math.max(x, -bound), bound);
}
