/** How much of the returns the critic explains. @module */
import { moments } from "./moments.ts";
import { checkEqualRows, type Rows } from "./rows.ts";

/**
 * 1 − Var(R − V)/Var(R) over all tokens, population variances: 1 is a perfect critic up to a constant, 0 no better than one constant.
 *
 * Source: OpenAI baselines, `explained_variance`.
 * @returns null where Var(R) is 0: undefined
 * @throws {ShapeError} if the rows differ
 * @example Half of the spread explained
 * ```ts
 * import { explainedVariance } from "@/lib/rl/explained_variance.ts";
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
