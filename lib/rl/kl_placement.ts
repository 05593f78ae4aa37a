/** Where the KL penalty stands, and which estimator has the KL's gradient there. @module */
import type { KlEstimator } from "./kl.ts";

/** Places of the penalty, as parameters spell them. */
export const KL_PLACEMENTS = ["reward", "loss"] as const;

/** One of {@linkcode KL_PLACEMENTS}. */
export type KlPlacement = typeof KL_PLACEMENTS[number];

/** Estimators that hold the policy to the reference from each place; the first is the one whose expected gradient is the KL's. */
export const KL_ESTIMATORS_AT: Readonly<Record<KlPlacement, readonly KlEstimator[]>> = {
  reward: ["k1"],
  loss: ["k2", "k3"],
};

const WHY_NOT: Readonly<Record<KlPlacement, string>> = {
  reward: "whose policy gradient vanishes at the reference",
  loss: "whose expected gradient is not the KL's (that of k1 is 0)",
};

/**
 * The estimator of the penalty: the one that was asked for, or the first that is right at its place.
 *
 * With s = ∇log π, tokens y ~ π and d = log π − log ref:
 * - in the reward the estimate is a number that multiplies s. E[k1·s] = ∇KL(π‖ref). E[k3·s] = ∇KL(π‖ref) − ∇KL(ref‖π), and E[k2·s] is of second order in d
 *   too: where π is near the reference, nothing pulls it back.
 * - in the loss the estimate is differentiated. E[∇k2] = E[d·s] = ∇KL(π‖ref); E[∇k3] = ∇KL(ref‖π), zero at the same place and of the same sign; E[∇k1] = E[s] = 0.
 *
 * Source: Schulman 2020, "Approximating KL divergence", for the estimates; the gradients: Tang & Munos 2025 (arXiv:2506.09477).
 * Differs from practice: TRL and OpenRLHF let k2 and k3 stand in the reward, verl and OpenRLHF k1 in the loss.
 *
 * @param estimator null for the first that is right
 * @throws {RangeError} if the estimator is wrong at that place
 * @example The defaults, and one that is refused
 * ```ts
 * import { klEstimatorAt } from "@/lib/rl/kl_placement.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 * assertEquals([klEstimatorAt("reward", null), klEstimatorAt("loss", null), klEstimatorAt("loss", "k3")], ["k1", "k2", "k3"]);
 * assertThrows(() => klEstimatorAt("loss", "k1"), RangeError);
 * ```
 */
export function klEstimatorAt(placement: KlPlacement, estimator: KlEstimator | null): KlEstimator {
  const valid = KL_ESTIMATORS_AT[placement], chosen = estimator ?? valid[0]!;
  if (valid.includes(chosen)) return chosen;
  throw new RangeError(
    `Cannot put the KL penalty into the ${placement} as its estimator must be ${
      valid.join(" or ")
    } there: it is ${chosen}, ${WHY_NOT[placement]}`,
  );
}
