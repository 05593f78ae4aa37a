/**
 * The bagged reward: several SFT models, each trained on another half of the demonstrations, agree on what the
 * demonstrations have in common and disagree on what one run memorised; two guards keep single tokens from paying for everything.
 * One member and no guard is the paper's reward.
 * @module
 */
import { sampleDeviation } from "./moments.ts";
import { checkEqualLengths, type Row, type Rows } from "./rows.ts";
import { tokenRewards } from "./token_guards.ts";

/** How members' log-probabilities become one. */
export const COMBINATIONS = ["mean", "min", "lcb"] as const;

/** One of {@linkcode COMBINATIONS}. */
export type Combination = typeof COMBINATIONS[number];

/**
 * The members' log-probabilities of one response as one, token by token, [R], nats.
 *
 * mean: (1/K)·Σ_k m_k, the logarithm of the geometric mean · min: the most doubtful member · lcb: mean − s, s with K − 1 in the denominator.
 * Neighbours: ensembles of reward models (Coste et al. 2023, arXiv:2310.02743), there for models trained on preferences.
 *
 * @param members K rows of [R], K ≥ 1
 * @throws {ShapeError} if the members differ in length
 * @throws {RangeError} if there is no member, or one only for `lcb`
 * @example Two members
 * ```ts
 * import { combineMembers } from "@/lib/rl/bagged_reward.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...combineMembers([[-1], [-3]], "mean")], [-2]);
 * assertEquals([...combineMembers([[-1], [-3]], "min")], [-3]);
 * assertEquals([...combineMembers([[-1], [-3]], "lcb")], [-2 - Math.SQRT2]);
 * ```
 */
export function combineMembers(members: Rows, combination: Combination): Float64Array<ArrayBuffer> {
  checkEqualLengths(Object.fromEntries(members.map((row, k) => [`member ${k}`, row])));
  const needed = combination === "lcb" ? 2 : 1;
  if (members.length < needed) {
    throw new RangeError(
      `Cannot combine reward members by "${combination}" as it needs at least ${needed}: there are ${members.length}`,
    );
  }
  return Float64Array.from(members[0]!, (_, t) => combineToken(members.map((row) => row[t]!), combination));
}

function combineToken(logprobs: readonly number[], combination: Combination): number {
  if (combination === "min") return logprobs.reduce((a, b) => Math.min(a, b));
  const mean = logprobs.reduce((a, b) => a + b) / logprobs.length;
  return combination === "mean" ? mean : mean - sampleDeviation(logprobs);
}

/** Guards of {@linkcode guardedRewards}; null = off. */
export interface RewardGuards {
  /** nats, negative: a token that the base gives no more than this earns nothing (EOS excepted) */
  readonly floor: number | null;
  /** nats, positive: what EOS earns is clipped to ± this */
  readonly eosBound: number | null;
}

/** Guards off: the paper's reward. */
export const NO_GUARDS: RewardGuards = { floor: null, eosBound: null };

/**
 * Reward of each response token, [R], nats: target − base; 0 where base ≤ floor; at EOS clip(target − base, ±eosBound), floor or not.
 *
 * Source: ours, not the paper's. Text that the base finds next to impossible would earn most of the pay, and an EOS that the base never emits
 * carries a constant that hides everything else.
 *
 * @param inputs.targetLogprobs combined members
 * @param inputs.baseLogprobs the pretrained base
 * @param inputs.isEos 1 where the token is an end-of-sequence token, 0 elsewhere
 * @throws {ShapeError} if the lengths differ
 * @throws {RangeError} if `eosBound` is negative
 * @example An impossible token and an end
 * ```ts
 * import { guardedRewards } from "@/lib/rl/bagged_reward.ts";
 * import { assertEquals } from "@std/assert";
 * const inputs = { targetLogprobs: [-1, -2, -1], baseLogprobs: [-2, -9, -27], isEos: [0, 0, 1] };
 * assertEquals([...guardedRewards(inputs, { floor: -6, eosBound: 5 })], [1, 0, 5]);
 * assertEquals([...guardedRewards(inputs, { floor: null, eosBound: null })], [1, 7, 26]);
 * ```
 */
export function guardedRewards(
  inputs: { readonly targetLogprobs: Row; readonly baseLogprobs: Row; readonly isEos: Row },
  guards: RewardGuards,
): Float64Array<ArrayBuffer> {
  const { targetLogprobs, baseLogprobs, isEos } = inputs;
  checkEqualLengths({ targetLogprobs, baseLogprobs, isEos });
  if (!((guards.eosBound ?? Infinity) >= 0)) {
    throw new RangeError(
      `Cannot bound the reward of EOS as the bound must be at least 0: ${guards.eosBound}`,
    );
  }
  return tokenRewards(
    { target: targetLogprobs, base: baseLogprobs, baseline: baseLogprobs, isEos },
    { ...guards, floorBoth: null, tokenCap: null },
  );
}
