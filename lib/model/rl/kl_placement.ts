/** Placement of the KL penalty, and the estimators whose gradient is the KL's there. @module */
import type { KlEstimator } from "./kl.ts";

/** Placements of the penalty, as parameters spell them. */
export const KL_PLACEMENTS = ["reward", "loss"] as const;

/** One of {@linkcode KL_PLACEMENTS}. */
export type KlPlacement = typeof KL_PLACEMENTS[number];

/** Valid estimators of each placement. The first is the one whose expected gradient is the KL's. */
export const KL_ESTIMATORS_AT: Readonly<Record<KlPlacement, readonly KlEstimator[]>> = {
  reward: ["k1"],
  loss: ["k2", "k3"],
};

const WHY_NOT: Readonly<Record<KlPlacement, string>> = {
  reward: "whose policy gradient vanishes at the reference",
  loss: "whose expected gradient is not the KL's (that of k1 is 0)",
};

/**
 * Returns the estimator of the penalty: the given one, or the first that is valid for the placement.
 *
 * With s = ∇log π, tokens y ~ π and d = log π − log ref:
 * - in the reward the estimate is a number that multiplies s. E[k1·s] = ∇KL(π‖ref). E[k3·s] = ∇KL(π‖ref) − ∇KL(ref‖π), and E[k2·s] is of second order in d
 *   too: near the reference there is no gradient towards it.
 * - in the loss the estimate is differentiated. E[∇k2] = E[d·s] = ∇KL(π‖ref); E[∇k3] = ∇KL(ref‖π), zero at the same place and of the same sign; E[∇k1] = E[s] = 0.
 *
 * Source: Schulman 2020, "Approximating KL divergence", for the estimates; the gradients: Tang & Munos 2025 (arXiv:2506.09477).
 * Differs from practice: TRL and OpenRLHF accept k2 and k3 in the reward, verl and OpenRLHF k1 in the loss.
 *
 * @param estimator null for the first valid one
 * @throws {RangeError} if the estimator is not valid for the placement
 * @example The defaults, and one that is refused
 * ```ts
 * import { klEstimatorAt } from "@/lib/model/rl/kl_placement.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 * assertEquals([klEstimatorAt("reward", null), klEstimatorAt("loss", null), klEstimatorAt("loss", "k3")], ["k1", "k2", "k3"]);
 * assertThrows(() => klEstimatorAt("loss", "k1"), RangeError);
 * ```
 */
export function klEstimatorAt(placement: KlPlacement, estimator: KlEstimator | null): KlEstimator {
  const valid = KL_ESTIMATORS_AT[placement], chosen = estimator ?? valid[0]!;
  if (valid.includes(chosen)) return chosen;
  throw new RangeError(
    `The KL estimator in the ${placement} must be ${valid.join(" or ")}, got ${chosen}, ${
      WHY_NOT[placement]
    }`,
  );
}
