/**
 * Losses of pairs: a chosen and a rejected response to one prompt, under the policy and under a reference model. A loss depends only on the
 * log-probabilities of the two whole responses, so every token of a response has the same slope.
 * @module
 */

/** log π(response | prompt) of both responses of a pair, nats: sums over the response's tokens, EOS included. */
export interface PairLogprobs {
  readonly chosen: number;
  readonly rejected: number;
}

/** The loss of a pair, its slope, and the implicit rewards. */
export interface PairLoss {
  /** nats */
  readonly loss: number;
  /** ∂loss/∂ log π(chosen); that of the rejected response is its negative */
  readonly slope: number;
  /** β·(log π − log π_ref) of the chosen response, nats: its implicit reward */
  readonly chosenReward: number;
  /** the same of the rejected response */
  readonly rejectedReward: number;
}

/** Settings of {@linkcode dpoLoss}. */
export interface DpoOptions {
  /** β of the KL penalty, above 0 */
  readonly beta: number;
  /** ε: probability that the labels of a pair are swapped, in [0, 0.5); default 0 */
  readonly labelSmoothing?: number;
}

/**
 * Returns the loss of direct preference optimisation (DPO).
 *
 * u = β·[log π(y_w|x) − log π_ref(y_w|x)] − β·[log π(y_l|x) − log π_ref(y_l|x)],
 * loss = −(1 − ε)·log σ(u) − ε·log σ(−u),  ∂loss/∂log π(y_w) = −β·[(1 − ε)·σ(−u) − ε·σ(u)].
 *
 * Source: Rafailov et al. 2023 (arXiv:2305.18290), eq. 7 and the gradient below it; ε: Mitchell 2023, "A note on DPO with
 * noisy preferences" (`label_smoothing` of OpenRLHF and of TRL up to 0.24; the sigmoid loss of TRL 0.29 and 1.16 ignores it).
 *
 * @throws {RangeError} if β or ε is out of range
 * @example The policy gives the chosen response three times its odds under the reference
 * ```ts
 * import { dpoLoss } from "@/lib/model/rl/pair_loss.ts";
 * import { assertAlmostEquals } from "@std/assert";
 * const { loss, slope } = dpoLoss({ chosen: Math.log(3), rejected: 0 }, { chosen: 0, rejected: 0 }, { beta: 1 });
 * assertAlmostEquals(loss, Math.log(4 / 3), 1e-12); // σ(log 3) = 3/4
 * assertAlmostEquals(slope, -1 / 4, 1e-12);
 * ```
 */
export function dpoLoss(
  policy: PairLogprobs,
  reference: PairLogprobs,
  { beta, labelSmoothing = 0 }: DpoOptions,
): PairLoss {
  if (!(beta > 0 && labelSmoothing >= 0 && labelSmoothing < 0.5)) {
    throw new RangeError(
      `beta must be positive and labelSmoothing in [0, 0.5), got ${beta} and ${labelSmoothing}`,
    );
  }
  const chosenReward = beta * (policy.chosen - reference.chosen);
  const rejectedReward = beta * (policy.rejected - reference.rejected);
  const u = chosenReward - rejectedReward;
  return {
    loss: (1 - labelSmoothing) * softplus(-u) + labelSmoothing * softplus(u),
    slope: -beta * ((1 - labelSmoothing) * sigmoid(-u) - labelSmoothing * sigmoid(u)),
    chosenReward,
    rejectedReward,
  };
}

/**
 * Returns the loss of self-play fine-tuning (SPIN): the demonstration y against the opponent's response y'.
 *
 * loss = ℓ(λ·log(π(y|x)/π_t(y|x)) − λ·log(π(y'|x)/π_t(y'|x))),  ℓ(t) = log(1 + e^{−t}).
 *
 * With the logistic ℓ this is DPO's loss at β = λ, as the paper says in its comparison. It is self-play
 * because the reference is the opponent π_t, the model at the start of the iteration, which generated y'.
 * Source: Chen et al. 2024 (arXiv:2401.01335), eq. 4.7.
 *
 * @param opponent log-probabilities under π_t
 * @param lambda λ above 0
 * @throws {RangeError} if λ is not positive
 */
export function spinLoss(
  policy: PairLogprobs,
  opponent: PairLogprobs,
  { lambda }: { readonly lambda: number },
): PairLoss {
  return dpoLoss(policy, opponent, { beta: lambda });
}

/** log(1 + e^x), without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}
