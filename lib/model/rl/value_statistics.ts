/** Statistics of the critic: loss and clip fraction of an update, and the variance that its values explain. @module */
import { moments } from "./moments.ts";
import { checkEqualLengths, checkEqualRows, type Row, type Rows } from "./rows.ts";

/** Statistics of a minibatch, before its optimizer step. */
export interface ValueStatistics {
  /** share of tokens where the clipped branch is strictly the larger; 0 without a clip */
  readonly clipFraction: number;
  /** 0.5 · mean of the larger squared error */
  readonly loss: number;
}

/**
 * Returns the statistics of one minibatch, [N] each; loss and fraction NaN where N is 0.
 *
 * @param inputs.values now
 * @param inputs.oldValues at the time of the rollouts
 * @param inputs.returns the critic's targets
 * @param options.clipRange c of the value loss; null = off
 * @throws {ShapeError} if the lengths differ
 * @example A value that left its interval towards the return: the clipped error is the larger
 * ```ts
 * import { valueStatistics } from "@/lib/model/rl/value_statistics.ts";
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
  return { clipFraction: clipped / tokens, loss: loss / tokens };
}

/**
 * Returns 1 − Var(R − V)/Var(R) over all tokens, population variances: 1 for a perfect critic up to a constant, 0 for one that is no better than a constant.
 *
 * Source: OpenAI baselines, `explained_variance`.
 * @returns null where Var(R) is 0: undefined
 * @throws {ShapeError} if the rows differ
 * @example Three quarters of the variance explained
 * ```ts
 * import { explainedVariance } from "@/lib/model/rl/value_statistics.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(explainedVariance([[0, 1]], [[0, 2]]), 0.75); // Var(R − V) = 1/4, Var(R) = 1
 * assertEquals(explainedVariance([[0, 1]], [[2, 2]]), null);
 * ```
 */
export function explainedVariance(values: Rows, returns: Rows): number | null {
  checkEqualRows({ values, returns });
  const spread = moments(returns).variance;
  if (!(spread > 0)) return null;
  const errors = returns.map((row, b) => Float64Array.from(row, (r, t) => r - values[b]![t]!));
  return 1 - moments(errors).variance / spread;
}
