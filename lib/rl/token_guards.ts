/**
 * What a token earns when members are held against a baseline under all guards. With the base as baseline and the guards of
 * `bagged_reward.ts` alone it is {@linkcode guardedRewards}.
 * @module
 */
import type { RewardGuards } from "./bagged_reward.ts";
import { checkEqualLengths, type Row } from "./rows.ts";

/** Guards of {@linkcode tokenRewards}; null = off. */
export interface TokenGuards extends RewardGuards {
  /** nats, negative: a token that base and members both give no more than this earns nothing (EOS excepted) */
  readonly floorBoth: number | null;
  /** nats, positive: what a token earns is clipped to ± this; at EOS only where `eosBound` is null */
  readonly tokenCap: number | null;
}

/** Log-probabilities of one response, [R], nats. */
export interface TokenLogprobs {
  /** combined members */
  readonly target: Row;
  /** the pretrained base: what both floors look at */
  readonly base: Row;
  /** what members are held against: the base itself, or an SFT model on the way */
  readonly baseline: Row;
  /** 1 where the token is an end-of-sequence token, 0 elsewhere */
  readonly isEos: Row;
}

/**
 * Reward of each response token, [R], nats: r = target − baseline, then
 *
 * at EOS: clip(r, ±eosBound), or clip(r, ±tokenCap) where there is no bound of its own;
 * elsewhere: 0 where base ≤ floor, 0 where base ≤ floorBoth and target ≤ floorBoth, else clip(r, ±tokenCap).
 *
 * Source: the ratio is that of arXiv:2510.21090; the guards are ours. `floorBoth` is the milder floor: it takes the pay from text that nobody
 * expects, where a ratio of two tiny probabilities is noise, and leaves it to text that the members alone have learned. `tokenCap` keeps one
 * token from outweighing the rest of a response, as PPO clips a ratio.
 *
 * @throws {ShapeError} if the lengths differ
 * @throws {RangeError} if a bound is negative
 * @example A surprise to the base alone, one to all, a capped token, and an end
 * ```ts
 * import { tokenRewards } from "@/lib/rl/token_guards.ts";
 * import { assertEquals } from "@std/assert";
 * const base = [-9, -9, -3, -27];
 * const logprobs = { target: [-1, -8, -0.5, -1], base, baseline: base, isEos: [0, 0, 0, 1] };
 * const off = { floor: null, floorBoth: null, tokenCap: null, eosBound: null };
 * assertEquals([...tokenRewards(logprobs, off)], [8, 1, 2.5, 26]);
 * assertEquals([...tokenRewards(logprobs, { ...off, floorBoth: -6, tokenCap: 2 })], [2, 0, 2, 2]);
 * assertEquals([...tokenRewards(logprobs, { ...off, floor: -6, tokenCap: 2, eosBound: 5 })], [0, 0, 2, 5]);
 * ```
 */
export function tokenRewards(
  { target, base, baseline, isEos }: TokenLogprobs,
  { floor, floorBoth, tokenCap, eosBound }: TokenGuards,
): Float64Array<ArrayBuffer> {
  checkEqualLengths({ target, base, baseline, isEos });
  const cap = tokenCap ?? Infinity, bound = eosBound ?? cap;
  if (!(cap >= 0 && bound >= 0)) {
    throw new RangeError(
      `Cannot bound what tokens earn as bounds must be at least 0: tokenCap is ${tokenCap}, eosBound ${eosBound}`,
    );
  }
  const low = floor ?? -Infinity, lowBoth = floorBoth ?? -Infinity;
  return Float64Array.from(target, (m, t) => {
    const ratio = m - baseline[t]!, b = base[t]!;
    if (isEos[t] !== 0) return clipped(ratio, bound);
    return b > low && Math.max(b, m) > lowBoth ? clipped(ratio, cap) : 0;
  });
}

function clipped(x: number, bound: number): number {
  return Math.min(Math.max(x, -bound), bound);
}
