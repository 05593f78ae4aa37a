/** Log-probability of given tokens and entropy of their distributions, as differentiable functions of logits. @module */
import { div, exp, mul, neg, reduceSum, tokenLogprob, type Value } from "@/lib/autodiff/mod.ts";

/** What {@linkcode tokenLogprobs} gives, [N] each, nats. */
export interface TokenLogprobs {
  /** log p(id) */
  readonly logprobs: Value;
  /** −Σ_v p_v·log p_v */
  readonly entropy: Value;
}

/**
 * logprobs = log softmax(logits/τ)[ids], entropy = −Σ p·log p of the same distribution.
 *
 * τ must be the temperature of the sampler (the N details, item 18), or old and new log-probabilities belong to different policies.
 * Logits must be finite: a logit of −∞ has 0·(−∞) in the entropy. Large finite ones are fine: the log-softmax subtracts the maximum.
 *
 * @param logits float[N,V]; differentiable
 * @param ids i64[N], each in [0, V)
 * @param temperature τ > 0; default 1
 * @throws {RangeError} if τ is not positive and finite
 */
export function tokenLogprobs(logits: Value, ids: Value, temperature = 1): TokenLogprobs {
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(
      `Cannot divide logits by the temperature as it must be positive and finite: ${temperature}`,
    );
  }
  const scaled = temperature === 1 ? logits : div(logits, temperature);
  const { selected, all } = tokenLogprob(scaled, ids);
  return { logprobs: selected, entropy: neg(reduceSum(mul(exp(all), all), [-1])) };
}
