/** Log-probability of given tokens and entropy of their distributions, as differentiable functions of logits. @module */
import { div, exp, mul, neg, reduceSum, tokenLogprob, type Value } from "@/lib/autodiff/mod.ts";
import { f32, f64 } from "@/lib/tensor/tensor.ts";

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
  const { selected, all } = tokenLogprob(tempered(logits, temperature), ids);
  return { logprobs: selected, entropy: neg(reduceSum(mul(exp(all), all), [-1])) };
}

/**
 * logits/τ, with the same bits in every graph. The divisor is a row: ONNX Runtime folds a scalar into the product before
 * it, but only where nothing else reads that product, so that rounding would depend on what else a graph computes.
 *
 * @param logits float[N,V]; differentiable
 */
export function tempered(logits: Value, temperature: number): Value {
  if (temperature === 1) return logits;
  const shape = [logits.shape[1]!], make = logits.dtype === "f64" ? f64 : f32;
  return div(logits, logits.trace.constant(make(shape, new Array<number>(shape[0]!).fill(temperature))));
}
