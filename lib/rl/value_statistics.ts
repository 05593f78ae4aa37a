/** What a value update found: clipping, error, explained variance. @module */
import { explainedVariance } from "./explained_variance.ts";
import { checkEqualLengths, type Row } from "./rows.ts";

/** Figures of a minibatch, before its step. */
export interface ValueStatistics {
  /** N */
  readonly tokens: number;
  /** share of tokens where the clipped branch is strictly the larger; 0 without a clip */
  readonly clipFraction: number;
  /** 0.5 · mean of the larger squared error */
  readonly loss: number;
  /** null where the returns are constant */
  readonly explainedVariance: number | null;
}

/**
 * Statistics of one minibatch, [N] each; loss and fraction NaN where N is 0.
 *
 * @param inputs.values now
 * @param inputs.oldValues at the time of the rollouts
 * @param inputs.returns the critic's targets
 * @param options.clipRange c of the value loss; null = off
 * @throws {ShapeError} if the lengths differ
 * @example The value left its interval and came nearer: the clipped error counts
 * ```ts
 * import { valueStatistics } from "@/lib/rl/value_statistics.ts";
 * import { assertEquals } from "@std/assert";
 * const s = valueStatistics({ values: [1], oldValues: [0], returns: [1] }, { clipRange: 0.5 });
 * assertEquals([s.loss, s.clipFraction], [0.125, 1]); // 0.5·(0.5 − 1)²
 * ```
 */
export function valueStatistics(
  inputs: { readonly values: Row; readonly oldValues: Row; readonly returns: Row },
  options: { readonly clipRange: number | null },
): ValueStatistics {
  const { values, oldValues, returns } = inputs;
  checkEqualLengths({ values, oldValues, returns });
  const range = options.clipRange ?? Infinity;
  const tokens = values.length;
  let clipped = 0, loss = 0;
  for (let i = 0; i < tokens; i++) {
    const v = values[i]!, target = returns[i]!;
    const near = Math.min(Math.max(v, oldValues[i]! - range), oldValues[i]! + range);
    const plainError = (v - target) ** 2, clippedError = (near - target) ** 2;
    if (clippedError > plainError) clipped++;
    loss += 0.5 * Math.max(plainError, clippedError);
  }
  return {
    tokens,
    clipFraction: clipped / tokens,
    loss: loss / tokens,
    explainedVariance: explainedVariance([values], [returns]),
  };
}
