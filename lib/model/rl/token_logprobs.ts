/** Log-probability of given tokens and entropy of their distributions, as differentiable functions of logits. @module */
import { div, exp, mul, neg, reduceSum, tokenLogprob, type Value } from "@/lib/compute/autodiff/mod.ts";
import { f32, f64 } from "@/lib/compute/tensor/tensor.ts";

/** Results of {@linkcode logprobsAndEntropy}, [N] each, nats. */
export interface LogprobsAndEntropy {
  /** log p(id) */
  readonly logprobs: Value;
  /** −Σ_v p_v·log p_v */
  readonly entropy: Value;
}

/**
 * Returns logprobs = log softmax(logits/τ)[ids] and entropy = −Σ p·log p of the same distribution.
 *
 * τ must be the sampling temperature (the N details, item 18), or old and new log-probabilities are of different policies.
 * Logits must be finite: a logit of −∞ has 0·(−∞) in the entropy. Large finite ones are fine: the log-softmax subtracts the maximum.
 *
 * @param logits float[N,V]; differentiable
 * @param ids i64[N], each in [0, V)
 * @param temperature τ > 0; default 1
 * @throws {RangeError} if τ is not positive and finite
 */
export function logprobsAndEntropy(logits: Value, ids: Value, temperature = 1): LogprobsAndEntropy {
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(
      `The temperature must be positive and finite, got ${temperature}`,
    );
  }
  const { selected, all } = tokenLogprob(tempered(logits, temperature), ids);
  return { logprobs: selected, entropy: neg(reduceSum(mul(exp(all), all), [-1])) };
}

/**
 * Returns logits/τ, with the same bits in every graph. The divisor is a row: ONNX Runtime folds a scalar into the product before it, but only
 * where nothing else reads that product, so that rounding would depend on what else a graph computes.
 *
 * @param logits float[N,V]; differentiable
 */
export function tempered(logits: Value, temperature: number): Value {
  if (temperature === 1) return logits;
  const shape = [logits.shape[1]!], make = logits.dtype === "f64" ? f64 : f32;
  return div(logits, logits.trace.constant(make(shape, new Array<number>(shape[0]!).fill(temperature))));
}
