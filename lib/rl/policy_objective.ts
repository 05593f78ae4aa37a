/** All that a policy's training head computes for its tokens, from logits to one loss each. @module */
import { add, mul, sub, type Value } from "@/lib/autodiff/mod.ts";
import type { KlEstimator } from "./kl.ts";
import { klLossPerToken } from "./kl_loss.ts";
import type { PolicyClip } from "./policy_clip.ts";
import { policyLossPerToken } from "./policy_loss.ts";
import { tokenLogprobs } from "./token_logprobs.ts";

/** Inputs of {@linkcode policyObjectivePerToken}; float[N] unless said otherwise. */
export interface PolicyObjectiveInputs {
  /** float[N,V]; differentiable */
  readonly logits: Value;
  /** i64[N] */
  readonly ids: Value;
  /** of the policy that sampled the tokens, nats */
  readonly oldLogprobs: Value;
  /** whitened by the caller */
  readonly advantages: Value;
  /** of the KL term; needed where its coefficient is not 0 */
  readonly refLogprobs?: Value;
}

/** Settings of {@linkcode policyObjectivePerToken}. */
export interface PolicyObjectiveOptions extends PolicyClip {
  /** of the sampler; default 1 */
  readonly temperature?: number;
  /** c_ent ≥ 0; default 0 */
  readonly entropyCoefficient?: number;
  /** c_kl ≥ 0; default 0: the KL penalty is then in the reward alone */
  readonly klCoefficient?: number;
  /** default k3 */
  readonly klEstimator?: KlEstimator;
}

/** What {@linkcode policyObjectivePerToken} gives, [N] each. */
export interface PolicyObjective {
  /** ℓ */
  readonly loss: Value;
  /** log p(id), nats */
  readonly logprobs: Value;
  /** H, nats */
  readonly entropy: Value;
}

/**
 * ℓ = ℓ_clip − c_ent·H + c_kl·KL per token; the caller sums weight · ℓ.
 *
 * Source: Schulman et al. 2017, eq. 9 (arXiv:1707.06347), sign flipped. The value term is not in it: policy and critic are networks of
 * their own, each with its own optimizer.
 *
 * @throws {RangeError} if a setting is out of range, or the KL term has no reference
 */
export function policyObjectivePerToken(
  inputs: PolicyObjectiveInputs,
  options: PolicyObjectiveOptions,
): PolicyObjective {
  const { entropyCoefficient = 0, klCoefficient = 0, klEstimator = "k3" } = options;
  if (!(entropyCoefficient >= 0 && klCoefficient >= 0)) {
    throw new RangeError(
      `Cannot weigh the policy's terms as their coefficients must be at least 0: entropy has ${entropyCoefficient}, KL has ${klCoefficient}`,
    );
  }
  const { logprobs, entropy } = tokenLogprobs(inputs.logits, inputs.ids, options.temperature);
  const { oldLogprobs, advantages, refLogprobs } = inputs;
  let loss = policyLossPerToken({ logprobs, oldLogprobs, advantages }, options);
  if (entropyCoefficient > 0) loss = sub(loss, mul(entropy, entropyCoefficient));
  if (klCoefficient > 0) {
    if (!refLogprobs) {
      throw new RangeError(
        "Cannot add the KL term as it needs log-probabilities of a reference: there are none",
      );
    }
    loss = add(loss, mul(klLossPerToken(klEstimator, { logprobs, refLogprobs }), klCoefficient));
  }
  return { loss, logprobs, entropy };
}
