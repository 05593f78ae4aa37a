/** The KL to a reference as a differentiable loss per token. @module */
import { abs, add, clip, exp, mul, neg, square, sub, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { KlBounds, KlEstimator } from "./kl.ts";

/** Inputs of {@linkcode klLossPerToken}, [N] each and of one float type. */
export interface KlLossInputs {
  /** of the policy that is trained, nats; differentiable */
  readonly logprobs: Value;
  /** of the reference, nats; not differentiated */
  readonly refLogprobs: Value;
}

/**
 * Returns an estimate of KL(policy ‖ reference) for every token.
 *
 * d = logprobs − refLogprobs;  k1 = d,  k2 = d²/2,  k3 = e^{−d} − 1 + d,  abs = |d|.
 * Source: Schulman 2020, "Approximating KL divergence".
 * Of these only k2 is a loss whose expected gradient on the policy's own samples is that of the KL; k1's is 0 (the score has mean 0), k3's is
 * that of KL(reference ‖ policy). Use k1 in the reward, k2 or k3 here.
 *
 * Kinks: |d| has derivative 1 at d = 0; with bounds the derivative is 0 where one is exceeded.
 *
 * @param options.bounds default: none
 * @returns [N], nats
 */
export function klLossPerToken(
  kind: KlEstimator,
  inputs: KlLossInputs,
  options: { readonly bounds?: KlBounds } = {},
): Value {
  const { bounds } = options;
  const difference = sub(inputs.logprobs, inputs.refLogprobs);
  const d = bounds ? clip(difference, -bounds.logRatio, bounds.logRatio) : difference;
  const loss = lossOf(kind, d);
  return bounds ? clip(loss, -bounds.estimate, bounds.estimate) : loss;
}

function lossOf(kind: KlEstimator, d: Value): Value {
  switch (kind) {
    case "k1":
      return d;
    case "k2":
      return mul(square(d), 0.5);
    case "k3":
      return add(sub(exp(neg(d)), 1), d);
    case "abs":
      return abs(d);
  }
}
