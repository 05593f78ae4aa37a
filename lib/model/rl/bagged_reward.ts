/**
 * The bagged reward: several SFT models, each trained on another half of the demonstrations, agree on what the demonstrations have in common and
 * disagree on what one of them memorised. One member is the paper's reward.
 * @module
 */
import { sampleDeviation } from "./moments.ts";
import { checkEqualLengths, type Rows } from "./rows.ts";

/** How members' log-probabilities are combined, as parameters spell it. */
export const COMBINATIONS = ["mean", "min", "lcb"] as const;

/** One of {@linkcode COMBINATIONS}. */
export type Combination = typeof COMBINATIONS[number];

/**
 * Returns the members' log-probabilities of one response combined token by token, [R], nats.
 *
 * mean: (1/K)·Σ_k m_k, the logarithm of the geometric mean · min: the smallest of the members · lcb: mean − s, s with K − 1 in the denominator.
 * Related: ensembles of reward models trained on preferences (Coste et al. 2023, arXiv:2310.02743).
 *
 * @param members K rows of [R], K ≥ 1
 * @throws {ShapeError} if the members differ in length
 * @throws {RangeError} if there is no member, or only one for `lcb`
 * @example Two members
 * ```ts
 * import { combineMembers } from "@/lib/model/rl/bagged_reward.ts";
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
    throw new RangeError(`combine=${combination} requires at least ${needed} members, got ${members.length}`);
  }
  return Float64Array.from(members[0]!, (_, t) => combineToken(members.map((row) => row[t]!), combination));
}

function combineToken(logprobs: readonly number[], combination: Combination): number {
  if (combination === "min") return logprobs.reduce((a, b) => Math.min(a, b));
  const mean = logprobs.reduce((a, b) => a + b) / logprobs.length;
  return combination === "mean" ? mean : mean - sampleDeviation(logprobs);
}
