/** PPO's clipped policy loss as a differentiable function per token. @module */
import { abs, clip, exp, maximum, minimum, mul, neg, sub, type Value } from "@/lib/compute/autodiff/mod.ts";
import { checkPolicyClip, LOG_RATIO_BOUND, type PolicyClip } from "./policy_clip.ts";

/** Inputs of {@linkcode policyLossPerToken}, [N] each and of one float type. */
export interface PolicyLossInputs {
  /** of the policy that is trained, nats; differentiable */
  readonly logprobs: Value;
  /** of the policy that sampled the tokens, nats; not differentiated */
  readonly oldLogprobs: Value;
  /** whitened by the caller; not differentiated */
  readonly advantages: Value;
}

/**
 * Returns the clipped surrogate loss of every token; the caller sums weight · loss (`aggregationWeights`).
 *
 * ℓ = max(−A·r, −A·clip(r, 1−ε_low, 1+ε_high)), r = exp(logprobs − oldLogprobs); with a dual clip c: min(ℓ, −c·A) where A < 0.
 * Source: Schulman et al. 2017, eq. 7 (arXiv:1707.06347), sign flipped because we minimise; two ε: DAPO, Yu et al. 2025 (arXiv:2503.14476), eq. 8;
 * dual clip: Ye et al. 2020 (arXiv:1912.09729), eq. 5.
 * Differs from the sources: the log-ratio is clipped to ±20 nats first, so that r stays finite; such a token has no gradient.
 *
 * Ties: where both branches are equal (r inside the interval, so in the first update everywhere) the gradient is that of −A·r; where the
 * dual clip is exactly met, that of the loss before it. The dual clip is written min(ℓ, c·|A|): for A ≥ 0, ℓ ≤ 0 ≤ c·|A| and nothing changes.
 *
 * @returns [N], nats times advantage
 * @throws {RangeError} if a bound is out of range
 */
export function policyLossPerToken(inputs: PolicyLossInputs, bounds: PolicyClip): Value {
  checkPolicyClip(bounds);
  const { logprobs, oldLogprobs, advantages } = inputs;
  const ratio = exp(clip(sub(logprobs, oldLogprobs), -LOG_RATIO_BOUND, LOG_RATIO_BOUND));
  const gain = neg(advantages);
  const plain = mul(gain, ratio);
  const clipped = mul(gain, clip(ratio, 1 - bounds.clipLow, 1 + bounds.clipHigh));
  const loss = maximum(plain, clipped); // plain first: it keeps the gradient at a tie
  return bounds.dualClip == null ? loss : minimum(loss, mul(abs(advantages), bounds.dualClip));
}
