/** Statistics of a policy update: ratios, clipping, approximate KL. @module */
import { clippedRatio, LOG_RATIO_BOUND, type PolicyClip } from "./policy_clip.ts";
import { checkEqualLengths, type Row } from "./rows.ts";

/** Means over the tokens of a minibatch; every field but the counts is dimensionless or in nats. */
export interface PolicyStatistics {
  /** N */
  readonly tokens: number;
  /** mean of the ratio */
  readonly ratioMean: number;
  /** population variance of the ratio over tokens */
  readonly ratioVariance: number;
  /** largest |ratio − 1| */
  readonly ratioDeviation: number;
  /** share of tokens where the clipped branch is strictly the larger, before the dual clip */
  readonly clipFraction: number;
  /** tokens clipped with the ratio above 1 + clipHigh (A > 0) */
  readonly clippedAbove: number;
  /** tokens clipped with the ratio below 1 − clipLow (A < 0) */
  readonly clippedBelow: number;
  /** tokens whose loss the dual clip lowered */
  readonly dualClipped: number;
  /** dualClipped / N */
  readonly dualClipFraction: number;
  /** mean(−l), l = new − old: unbiased, may be negative */
  readonly approxKlK1: number;
  /** mean(l²/2) */
  readonly approxKlK2: number;
  /** mean(e^l − 1 − l): unbiased, never negative */
  readonly approxKlK3: number;
}

/**
 * Returns the statistics of one minibatch from log-probabilities before and after, [N] each; all NaN where N is 0.
 *
 * Source: CleanRL's `old_approx_kl` (k1) and `approx_kl` (k3), `clipfrac`; on tokens sampled from the old policy, so that
 * k1 and k3 estimate KL(old ‖ new).
 * Differs from the source: a token counts as clipped where the clip decides its loss, not wherever the ratio leaves the interval.
 *
 * @throws {ShapeError} if the lengths differ
 * @example One token whose probability doubled, with advantage 1
 * ```ts
 * import { policyStatistics } from "@/lib/model/rl/policy_statistics.ts";
 * import { assertEquals } from "@std/assert";
 * const s = policyStatistics({ logprobs: [Math.log(0.5)], oldLogprobs: [Math.log(0.25)], advantages: [1] }, { clipLow: 0.2, clipHigh: 0.2 });
 * assertEquals([s.clipFraction, s.clippedAbove, s.clippedBelow], [1, 1, 0]);
 * ```
 */
export function policyStatistics(
  inputs: { readonly logprobs: Row; readonly oldLogprobs: Row; readonly advantages: Row },
  clip: PolicyClip,
): PolicyStatistics {
  const { logprobs, oldLogprobs, advantages } = inputs;
  checkEqualLengths({ logprobs, oldLogprobs, advantages });
  const tokens = logprobs.length;
  let sum = 0,
    squares = 0,
    ratioDeviation = 0,
    clippedAbove = 0,
    clippedBelow = 0,
    dualClipped = 0,
    k1 = 0,
    k2 = 0,
    k3 = 0;
  for (let i = 0; i < tokens; i++) {
    const l = logprobs[i]! - oldLogprobs[i]!;
    const bounded = Math.min(Math.max(l, -LOG_RATIO_BOUND), LOG_RATIO_BOUND);
    const ratio = Math.exp(bounded);
    const a = advantages[i]!;
    const plain = -a * ratio, clipped = -a * clippedRatio(ratio, clip);
    sum += ratio - 1; // about 1, where the variance keeps its digits
    squares += (ratio - 1) ** 2;
    ratioDeviation = Math.max(ratioDeviation, Math.abs(ratio - 1));
    if (clipped > plain) {
      if (ratio > 1) clippedAbove++;
      else clippedBelow++;
    }
    if (clip.dualClip != null && a < 0 && Math.max(plain, clipped) > -a * clip.dualClip) dualClipped++;
    k1 -= l;
    k2 += l * l / 2;
    k3 += Math.expm1(bounded) - bounded;
  }
  return {
    tokens,
    ratioMean: 1 + sum / tokens,
    ratioVariance: Math.max(0, squares / tokens - (sum / tokens) ** 2),
    ratioDeviation,
    clipFraction: (clippedAbove + clippedBelow) / tokens,
    clippedAbove,
    clippedBelow,
    dualClipped,
    dualClipFraction: dualClipped / tokens,
    approxKlK1: k1 / tokens,
    approxKlK2: k2 / tokens,
    approxKlK3: k3 / tokens,
  };
}
