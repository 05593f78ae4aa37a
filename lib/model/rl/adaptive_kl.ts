/** Adaptive β of the KL penalty. @module */

/** Bound of the relative error. */
const BOUND = 0.2;

/** Settings of the controller. */
export interface AdaptiveKlOptions {
  /** target KL, nats per response, above 0 */
  readonly target: number;
  /** responses over which beta may change by a factor of e^0.2, above 0 */
  readonly horizon: number;
  /** responses since the last update of beta */
  readonly steps: number;
}

/**
 * Returns the next β: β · (1 + e·n/horizon), e = clip(kl/target − 1, −0.2, 0.2).
 *
 * Source: Ziegler et al. 2019 (arXiv:1909.08593), section 2.2.
 * Differs from the paper, which writes K_β = 0.1 for one batch: as in its released code, the gain is n/horizon, so that it does not depend on the batch size.
 *
 * @param beta non-negative
 * @param kl measured on the last batch, nats per response
 * @throws {RangeError} if target or horizon is not positive, or the KL not finite
 * @example At twice the target the error is clipped to 0.2
 * ```ts
 * import { adaptiveKl } from "@/lib/model/rl/adaptive_kl.ts";
 * import { assertAlmostEquals } from "@std/assert";
 * assertAlmostEquals(adaptiveKl(0.1, 12, { target: 6, horizon: 1000, steps: 100 }), 0.1 * (1 + 0.2 * 0.1));
 * ```
 */
export function adaptiveKl(beta: number, kl: number, options: AdaptiveKlOptions): number {
  const { target, horizon, steps } = options;
  if (!(target > 0 && horizon > 0 && Number.isFinite(kl))) {
    throw new RangeError(
      `Adaptive beta requires a positive target and horizon and a finite KL, got target ${target}, horizon ${horizon}, KL ${kl}`,
    );
  }
  const error = Math.min(Math.max(kl / target - 1, -BOUND), BOUND);
  return beta * (1 + error * steps / horizon);
}
