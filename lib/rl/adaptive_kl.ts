/** A KL coefficient that follows a target. @module */

/** The controller's settings. */
export interface AdaptiveKlOptions {
  /** KL per response to hold, nats, above 0 */
  readonly target: number;
  /** responses over which the coefficient may change by the factor e^bound, above 0 */
  readonly horizon: number;
  /** responses since the last update */
  readonly steps: number;
  /** largest relative error that counts; default 0.2 */
  readonly bound?: number;
}

/**
 * The next coefficient: β · (1 + e·n/horizon), e = clip(kl/target − 1, −0.2, 0.2).
 *
 * Source: Ziegler et al. 2019 (arXiv:1909.08593), section 2.2.
 * Differs from the paper, which writes K_β = 0.1 for one batch: as in its released code, the gain is n/horizon, so that it does not depend on the batch size.
 *
 * @param coefficient β, non-negative
 * @param kl measured on the last batch, nats per response
 * @throws {RangeError} if target or horizon is not positive, or the KL not finite
 * @example Twice the target: the error counts as 0.2
 * ```ts
 * import { adaptiveKl } from "@/lib/rl/adaptive_kl.ts";
 * import { assertAlmostEquals } from "@std/assert";
 * assertAlmostEquals(adaptiveKl(0.1, 12, { target: 6, horizon: 1000, steps: 100 }), 0.1 * (1 + 0.2 * 0.1));
 * ```
 */
export function adaptiveKl(coefficient: number, kl: number, options: AdaptiveKlOptions): number {
  const { target, horizon, steps, bound = 0.2 } = options;
  if (!(target > 0 && horizon > 0 && Number.isFinite(kl))) {
    throw new RangeError(
      `Cannot adapt the KL coefficient as target and horizon must be positive and the KL finite: target is ${target}, horizon is ${horizon}, KL is ${kl}`,
    );
  }
  const error = Math.min(Math.max(kl / target - 1, -bound), bound);
  return coefficient * (1 + error * steps / horizon);
}
