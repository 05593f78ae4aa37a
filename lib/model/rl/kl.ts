/** Estimates of KL(policy ‖ reference) from log-probabilities of sampled tokens. @module */
import { checkEqualLengths, type Row } from "./rows.ts";

/** Names of the estimators, as parameters spell them. */
export const KL_ESTIMATORS = ["k1", "k2", "k3", "abs"] as const;

/** One of {@linkcode KL_ESTIMATORS}. */
export type KlEstimator = typeof KL_ESTIMATORS[number];

/** Bounds that keep one token from dominating an estimate. verl (core_algos.kl_penalty, `low_var_kl`) takes 20 and 10. */
export interface KlBounds {
  /** the log-ratio d is clipped to ± this first; nats */
  readonly logRatio: number;
  /** then the estimate is clipped to ± this; nats */
  readonly estimate: number;
}

/**
 * Returns one estimate per token, [R], nats, for tokens sampled from the policy.
 *
 * d = logprob − refLogprob;  k1 = d,  k2 = d²/2,  k3 = e^{−d} − 1 + d,  abs = |d|.
 * Source: Schulman 2020, "Approximating KL divergence". k1 is unbiased and may be negative; k2 is biased with little variance; k3 is unbiased and
 * never negative; abs is not an estimate of the KL, but a distance that some code bases use.
 * Differs from the source: the optional bounds.
 *
 * @param logprobs under the policy that sampled the tokens, nats
 * @param refLogprobs under the reference, nats
 * @param options.bounds default: none
 * @throws {ShapeError} if the lengths differ
 * @example A token that is twice as likely as under the reference
 * ```ts
 * import { klEstimates } from "@/lib/model/rl/kl.ts";
 * import { assertAlmostEquals } from "@std/assert";
 * const [k3] = klEstimates("k3", [Math.log(0.5)], [Math.log(0.25)]);
 * assertAlmostEquals(k3!, 0.5 - 1 + Math.log(2));
 * ```
 */
export function klEstimates(
  kind: KlEstimator,
  logprobs: Row,
  refLogprobs: Row,
  options: { readonly bounds?: KlBounds } = {},
): Float64Array<ArrayBuffer> {
  checkEqualLengths({ logprobs, refLogprobs });
  const { logRatio = Infinity, estimate = Infinity } = options.bounds ?? {};
  return Float64Array.from(logprobs, (lp, t) => {
    const d = clamp(lp - refLogprobs[t]!, logRatio);
    return clamp(klOf(kind, d), estimate);
  });
}

function klOf(kind: KlEstimator, d: number): number {
  switch (kind) {
    case "k1":
      return d;
    case "k2":
      return d * d / 2;
    case "k3":
      return Math.max(0, Math.expm1(-d) + d); // expm1 keeps the digits of e^{−d} − 1; rounding must not go below 0
    case "abs":
      return Math.abs(d);
  }
}

function clamp(x: number, bound: number): number {
  return Math.min(Math.max(x, -bound), bound);
}
