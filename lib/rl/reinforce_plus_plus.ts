/** REINFORCE++ (Hu 2025, arXiv:2501.03262): advantages whitened over the whole batch, no critic. @module */
import { gae } from "./gae.ts";
import { groupMeanBaseline } from "./group_baselines.ts";
import { ppoRewards } from "./ppo_rewards.ts";
import { checkEqualLengths, type Row, type Rows } from "./rows.ts";
import { whiten } from "./whiten.ts";

/**
 * REINFORCE++: the return of every token, whitened over all tokens of the batch.
 *
 * G_t = Σ_{k≥t} r_k with r_t = −β·kl_t and the score at the last token (γ = 1, no baseline).
 *
 * @param kl per token, [R] each, nats
 * @param options.scores one per response
 * @param options.beta of the KL penalty
 * @returns `returns` before whitening and `advantages` after, [R] each
 * @throws {ShapeError} if there are not as many scores as rows
 * @example One token each
 * ```ts
 * import { reinforcePlusPlus } from "@/lib/rl/reinforce_plus_plus.ts";
 * import { assertEquals } from "@std/assert";
 * const { returns } = reinforcePlusPlus([[1], [0]], { scores: [2, 2], beta: 0.5 });
 * assertEquals(returns.map((row) => [...row]), [[1.5], [2]]);
 * ```
 */
export function reinforcePlusPlus(
  kl: Rows,
  options: { readonly scores: Row; readonly beta: number },
): { readonly returns: Float64Array[]; readonly advantages: Float64Array[] } {
  const { scores, beta } = options;
  checkEqualLengths({ kl, scores });
  const returns = kl.map((row, b) => {
    const rewards = ppoRewards(row, { beta, reward: scores[b]! });
    // with no critic and λ = 1 the advantage is the return itself
    return gae({ rewards, values: new Float64Array(row.length), gamma: 1, lambda: 1 }).advantages;
  });
  return { returns, advantages: whiten(returns) };
}

/**
 * REINFORCE++-baseline: score minus the mean of its group, given to every token of the response, then whitened over all tokens.
 *
 * @param scores one per response
 * @param options.groups which prompt each response answers
 * @param options.lengths tokens of each response
 * @throws {ShapeError} if the lists differ in length
 */
export function reinforcePlusPlusBaseline(
  scores: Row,
  options: { readonly groups: Row; readonly lengths: readonly number[] },
): Float64Array<ArrayBuffer>[] {
  const { groups, lengths } = options;
  checkEqualLengths({ scores, lengths });
  const centred = groupMeanBaseline(scores, groups);
  return whiten(lengths.map((length, b) => new Float64Array(length).fill(centred[b]!)));
}
