/** Mean and standard deviation of a few values. @module */

/** Mean, standard deviation and number of some values. */
export interface Spread {
  readonly mean: number;
  /** with n − 1 in the variance; 0 for one value */
  readonly std: number;
  readonly n: number;
}

/** Returns mean and standard deviation of `values`. @throws {RangeError} without values */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  if (n === 0) throw new RangeError("A mean requires at least one value, got 0");
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { mean, std: n === 1 ? 0 : Math.sqrt(squares / (n - 1)), n };
}
