/**
 * Rollouts whose sampler differs from the policy that is trained: other kernels, quantised or older weights. The distance between the two, and
 * importance weights that correct for it.
 * @module
 */
import { LOG_RATIO_BOUND } from "./policy_clip.ts";
import { checkEqualRows, flatten, type Rows } from "./rows.ts";

/** Distance of the sampler from the policy, over all tokens. */
export interface LogprobGap {
  /** mean |p − p_sampler| of the sampled tokens */
  readonly meanProbability: number;
  /** largest |p − p_sampler| */
  readonly maxProbability: number;
  /** the row of the largest */
  readonly worstRow: number;
}

/**
 * Returns the distance between the policy's log-probabilities and the sampler's.
 *
 * Source: verl, `training/rollout_probs_diff_mean` and `_max`: below 0.005 on average is normal, above 0.01 a fault.
 *
 * @param logprobs of the policy that is trained, nats; at least one token
 * @param sampledLogprobs of the sampler, nats
 * @throws {ShapeError} if the rows differ
 * @example One token of two is off by 0.1
 * ```ts
 * import { logprobGap } from "@/lib/model/rl/importance_sampling.ts";
 * import { assertAlmostEquals } from "@std/assert";
 * const gap = logprobGap([[Math.log(0.5)], [Math.log(0.4)]], [[Math.log(0.5)], [Math.log(0.5)]]);
 * assertAlmostEquals(gap.meanProbability, 0.05, 1e-12);
 * ```
 */
export function logprobGap(logprobs: Rows, sampledLogprobs: Rows): LogprobGap {
  checkEqualRows({ logprobs, sampledLogprobs });
  let sum = 0, maxProbability = 0, worstRow = 0;
  for (const [b, row] of logprobs.entries()) {
    for (let t = 0; t < row.length; t++) {
      const p = Math.exp(row[t]!), q = Math.exp(sampledLogprobs[b]![t]!), difference = Math.abs(p - q);
      sum += difference;
      if (difference > maxProbability) [maxProbability, worstRow] = [difference, b];
    }
  }
  const tokens = flatten(logprobs).length;
  return { meanProbability: sum / tokens, maxProbability, worstRow };
}

/**
 * Returns w_t = min(p_t/p_sampler,t, cap), by which a token's loss is multiplied, [R] each.
 *
 * Truncated importance sampling: unbiased as long as no weight exceeds the cap; beyond it biased, with bounded variance.
 * Source: Ionides 2008; for rollouts and training that differ: Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training"
 * (`tis` of OpenRLHF and verl, `vllm_importance_sampling_cap` of TRL).
 *
 * @param logprobs of the policy before the update, nats
 * @param sampledLogprobs of the sampler, nats
 * @param cap above 0; 2 is usual
 * @throws {ShapeError} if the rows differ
 * @throws {RangeError} if the cap is not positive
 * @example Twice as likely, four times as likely, half as likely
 * ```ts
 * import { truncatedImportance } from "@/lib/model/rl/importance_sampling.ts";
 * import { assertAlmostEquals } from "@std/assert";
 * const [w] = truncatedImportance([[0, 0, 0]], [[2, 4, 0.5].map((r) => -Math.log(r))], 3);
 * [2, 3, 0.5].forEach((expected, t) => assertAlmostEquals(w![t]!, expected, 1e-12));
 * ```
 */
export function truncatedImportance(
  logprobs: Rows,
  sampledLogprobs: Rows,
  cap: number,
): Float64Array<ArrayBuffer>[] {
  checkEqualRows({ logprobs, sampledLogprobs });
  if (!(cap > 0)) {
    throw new RangeError(`The cap of importance weights must be positive, got ${cap}`);
  }
  return logprobs.map((row, b) =>
    Float64Array.from(row, (x, t) => Math.min(Math.exp(bounded(x - sampledLogprobs[b]![t]!)), cap))
  );
}

const bounded = (x: number) => Math.min(Math.max(x, -LOG_RATIO_BOUND), LOG_RATIO_BOUND);
