/** Correlations among the responses to the same prompt, averaged over prompts. @module */
import { groupMeanBaseline } from "./group_baselines.ts";
import { correlation } from "./moments.ts";
import type { Row, Rows } from "./rows.ts";

/**
 * Returns Pearson's correlation of `a` and `b` after both are centred in each group; null where either does not vary within any.
 *
 * @param groups the prompt of each response; any order
 * @example Differences between prompts do not count
 * ```ts
 * import { correlationWithin } from "@/lib/model/rl/within_groups.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(correlationWithin([1, 2, 50, 49], [1, 2, 0, -1], [0, 0, 1, 1]), 1);
 * ```
 */
export function correlationWithin(a: Row, b: Row, groups: Row): number | null {
  return correlation(groupMeanBaseline(a, groups), groupMeanBaseline(b, groups));
}

/**
 * Returns the standard deviation within groups, √(Σ (x − mean of its group)² / Σ (size − 1)); null where no group has two.
 */
export function deviationWithin(values: Row, groups: Row): number | null {
  let squares = 0;
  for (const x of groupMeanBaseline(values, groups)) squares += x ** 2;
  const free = groups.length - new Set(Array.from(groups)).size;
  return free === 0 ? null : Math.sqrt(squares / free);
}

/**
 * Returns the mean of {@linkcode correlationWithin} over all pairs of judges: their agreement on which response to a prompt is the better one.
 * Null for a single judge, or where no pair is defined.
 * @param judges K rows of [B]: the score of each response by each judge
 */
export function agreementWithin(judges: Rows, groups: Row): number | null {
  let sum = 0, pairs = 0;
  judges.forEach((a, i) => {
    for (const b of judges.slice(i + 1)) {
      const r = correlationWithin(a, b, groups);
      if (r === null) continue;
      sum += r;
      pairs++;
    }
  });
  return pairs === 0 ? null : sum / pairs;
}

/**
 * Returns the share of the variance of the mean of K judges that is not their disagreement, K·ρ/(1 + (K − 1)·ρ).
 *
 * Source: Spearman 1910 and Brown 1910, both Br. J. Psychol. 3. Below ½ the mean depends more on the judges than on the responses; 0
 * where the judges contradict each other.
 *
 * @param agreement ρ, mean correlation of two judges
 * @example Four judges who agree by 0.2
 * ```ts
 * import { reliabilityOfMean } from "@/lib/model/rl/within_groups.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(reliabilityOfMean(0.2, 4), 0.5);
 * ```
 */
export function reliabilityOfMean(agreement: number, judges: number): number {
  const rho = Math.max(agreement, 0);
  return (judges * rho) / (1 + (judges - 1) * rho);
}

/**
 * Returns the share of the variance of `whole` within groups that is due to a part of it, Cov(part, whole)/Var(whole): shares of parts that
 * add up to the whole add up to 1. Null where `whole` does not vary within any group.
 */
export function shareOfSpread(part: Row, whole: Row, groups: Row): number | null {
  const p = groupMeanBaseline(part, groups), w = groupMeanBaseline(whole, groups);
  let product = 0, squares = 0;
  for (let i = 0; i < w.length; i++) {
    product += p[i]! * w[i]!;
    squares += w[i]! ** 2;
  }
  return squares > 0 ? product / squares : null;
}
