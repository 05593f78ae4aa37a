/** Mean and population variance, in a fixed order of summation. @module */
import type { Row, Rows } from "./rows.ts";

/** Moments of a set of numbers. */
export interface Moments {
  /** how many numbers */
  readonly count: number;
  /** NaN where count is 0 */
  readonly mean: number;
  /** Σ(x − mean)² / count; exactly 0 where all numbers are equal; NaN where count is 0 */
  readonly variance: number;
}

/**
 * Returns the moments over all numbers of all rows.
 *
 * mean = x₀ + Σ(x − x₀)/n: the mean of equal numbers is exactly their value, so a constant has a variance of exactly 0.
 */
export function moments(rows: Rows): Moments {
  const first = rows.find((row) => row.length > 0)?.[0] ?? NaN;
  let count = 0;
  let sum = 0;
  for (const row of rows) {
    count += row.length;
    for (let t = 0; t < row.length; t++) sum += row[t]! - first;
  }
  const mean = first + sum / count;
  let squares = 0;
  for (const row of rows) for (let t = 0; t < row.length; t++) squares += (row[t]! - mean) ** 2;
  return { count, mean, variance: squares / count };
}

/** Returns the standard deviation with n − 1 in the denominator; NaN for fewer than two numbers. */
export function sampleDeviation(numbers: Row): number {
  const { count, variance } = moments([numbers]);
  return count < 2 ? NaN : Math.sqrt(variance * count / (count - 1));
}

/**
 * Returns Pearson's correlation of two lists; null where it is undefined (fewer than two pairs, or one list is constant).
 *
 * @example A straight line
 * ```ts
 * import { correlation } from "@/lib/model/rl/moments.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(correlation([1, 2, 3], [2, 4, 6]), 1);
 * assertEquals(correlation([1, 2, 3], [5, 5, 5]), null);
 * ```
 */
export function correlation(a: Row, b: Row): number | null {
  const ma = moments([a]), mb = moments([b]);
  if (ma.count < 2 || !(ma.variance > 0) || !(mb.variance > 0)) return null;
  let product = 0;
  for (let i = 0; i < a.length; i++) product += (a[i]! - ma.mean) * (b[i]! - mb.mean);
  return product / (ma.count * Math.sqrt(ma.variance * mb.variance));
}
