/** Whitening of advantages over all tokens of a batch. @module */
import { moments } from "./moments.ts";
import type { Rows } from "./rows.ts";

/** How to whiten. */
export interface WhitenOptions {
  /** false keeps the mean and changes the variance only (rewards); default true (advantages) */
  readonly shiftMean?: boolean;
  /** added to the variance, inside the root; default 1e-8 */
  readonly epsilon?: number;
}

/**
 * Returns (x − mean)/√(var + ε) over all tokens of all rows, plus the mean again where `shiftMean` is false.
 *
 * Source: Ziegler et al. 2019 (arXiv:1909.08593), released code, `utils.core.whiten`; population variance.
 * Differs from it: a single token is returned as it is. Where all numbers are equal, the
 * result is 0 (or the mean), never NaN.
 *
 * @param rows [R] each; only tokens that count
 * @returns new rows
 * @example Two tokens in two rows
 * ```ts
 * import { whiten } from "@/lib/model/rl/whiten.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(whiten([[1], [3]], { epsilon: 0 }).map((row) => [...row]), [[-1], [1]]);
 * ```
 */
export function whiten(rows: Rows, options: WhitenOptions = {}): Float64Array<ArrayBuffer>[] {
  const { shiftMean = true, epsilon = 1e-8 } = options;
  const { count, mean, variance } = moments(rows);
  if (count < 2) return rows.map((row) => Float64Array.from(row));
  // 0/0 when epsilon is 0 and all numbers are equal: only the mean is subtracted
  const deviation = variance + epsilon > 0 ? Math.sqrt(variance + epsilon) : 1;
  const offset = shiftMean ? 0 : mean;
  return rows.map((row) => Float64Array.from(row, (x) => (x - mean) / deviation + offset));
}
