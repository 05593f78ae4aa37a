/** The policy's objective: from logits to one loss per token. @module */
import { add, mul, sub, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { KlBounds, KlEstimator } from "./kl.ts";
import { klLossPerToken } from "./kl_loss.ts";
import type { PolicyClip } from "./policy_clip.ts";
import { policyLossPerToken } from "./policy_loss.ts";
import { logprobsAndEntropy } from "./token_logprobs.ts";

/** Inputs of {@linkcode policyObjectivePerToken}; float[N] unless said otherwise. */
export interface PolicyObjectiveInputs {
  /** float[N,V]; differentiable */
  readonly logits: Value;
  /** i64[N] */
  readonly ids: Value;
  /** of the policy before the update, nats */
  readonly oldLogprobs: Value;
  /** whitened by the caller */
  readonly advantages: Value;
  /** of the references of the KL term at the sampling temperature, nats; the term is the mean over them. Needed where there is a term */
  readonly refLogprobs?: readonly Value[];
  /** truncated importance weights, which multiply the clipped loss; default 1 */
  readonly importance?: Value;
}

/** Settings of {@linkcode policyObjectivePerToken}. */
export interface PolicyObjectiveOptions extends PolicyClip {
  /** of the sampler; default 1 */
  readonly temperature?: number;
  /** c_ent ≥ 0; default 0 */
  readonly entropyCoefficient?: number;
  /** coefficient of the KL term, ≥ 0, a number or a scalar of the graph; default 0: no KL term */
  readonly beta?: number | Value;
  /** default k2, whose expected gradient is the KL's */
  readonly klEstimator?: KlEstimator;
  /** default: none */
  readonly klBounds?: KlBounds;
}

/** Results of {@linkcode policyObjectivePerToken}, [N] each. */
export interface PolicyObjective {
  /** ℓ */
  readonly loss: Value;
  /** log p(id), nats */
  readonly logprobs: Value;
  /** H, nats */
  readonly entropy: Value;
  /** mean over the references of the KL estimate, nats; left out without a term */
  readonly kl?: Value;
}

/**
 * Returns ℓ = w·ℓ_clip − c_ent·H + β·KL per token; the caller sums weight · ℓ.
 *
 * ℓ_clip, H and KL are those of the sampling distribution (logits/τ), as in TRL: the samples are its own, so the expectation of the estimate is the
 * KL. The references' log-probabilities must be at τ too.
 * Source: Schulman et al. 2017, eq. 9 (arXiv:1707.06347), sign flipped. There is no value term: policy and critic are separate networks, each
 * with its own optimizer. KL in the loss: Shao et al. 2024 (arXiv:2402.03300), eq. 3; its gradient at a token comes from that token's estimate
 * only, with a penalty in the reward also from those of later tokens. w: {@linkcode truncatedImportance}.
 *
 * @throws {RangeError} if a setting is out of range, or the KL term has no reference model
 */
export function policyObjectivePerToken(
  inputs: PolicyObjectiveInputs,
  options: PolicyObjectiveOptions,
): PolicyObjective {
  const { temperature = 1, entropyCoefficient = 0, beta = 0 } = options;
  if (!(entropyCoefficient >= 0 && (typeof beta !== "number" || beta >= 0))) {
    throw new RangeError(
      `Coefficients of the policy objective must be at least 0, got entropyCoefficient ${entropyCoefficient}, beta ${beta}`,
    );
  }
  const { logprobs, entropy } = logprobsAndEntropy(inputs.logits, inputs.ids, temperature);
  const { oldLogprobs, advantages, importance } = inputs;
  let loss = policyLossPerToken({ logprobs, oldLogprobs, advantages }, options);
  if (importance) loss = mul(loss, importance);
  if (entropyCoefficient > 0) loss = sub(loss, mul(entropy, entropyCoefficient));
  if (beta === 0) return { loss, logprobs, entropy };
  const kl = meanKl(logprobs, inputs.refLogprobs ?? [], options);
  return { loss: add(loss, mul(kl, beta)), logprobs, entropy, kl };
}

function meanKl(
  logprobs: Value,
  references: readonly Value[],
  { klEstimator = "k2", klBounds }: PolicyObjectiveOptions,
): Value {
  if (references.length === 0) {
    throw new RangeError(
      "The KL term requires log-probabilities of at least one reference model, got none",
    );
  }
  const bounds = klBounds ? { bounds: klBounds } : {};
  const terms = references.map((refLogprobs) =>
    klLossPerToken(klEstimator, { logprobs, refLogprobs }, bounds)
  );
  const sum = terms.reduce((a, b) => add(a, b));
  return terms.length === 1 ? sum : mul(sum, 1 / terms.length);
}
