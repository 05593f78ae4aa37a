/**
 * Means with standard errors over prompts. Responses to one prompt are correlated, so the unit of sampling is the prompt, not the
 * response.
 * @module
 */

/** One prompt's part of a mean: the sum of the values, and their number (responses, or tokens). */
export interface Cluster {
  readonly sum: number;
  readonly weight: number;
}

/** A mean and its standard error. */
export interface MeanError {
  readonly mean: number;
  readonly stderr: number;
}

/**
 * Returns R = Σ sumₚ / Σ weightₚ, and the standard error of that ratio over P prompts,
 * √(P/(P−1) · Σ (sumₚ − R·weightₚ)²) / Σ weightₚ: with equal weights the sample deviation of the prompts' means over √P.
 * Source: Cochran, Sampling Techniques (1977), eq. 6.12 with the sample's variance, without finite population.
 *
 * @param clusters weights are at least 0, their sum above 0
 * @returns with one prompt a standard error of 0, as its spread is unknown
 */
export function clusterMean(clusters: Iterable<Cluster>): MeanError {
  const all = [...clusters];
  let sum = 0, weight = 0;
  for (const cluster of all) {
    sum += cluster.sum;
    weight += cluster.weight;
  }
  const mean = sum / weight, count = all.length;
  if (count < 2) return { mean, stderr: 0 };
  const squares = all.reduce((total, c) => total + (c.sum - mean * c.weight) ** 2, 0);
  return { mean, stderr: Math.sqrt(squares * count / (count - 1)) / weight };
}

/** Clusters by the id of their prompt, in the order in which prompts first occur. */
export type Clusters = ReadonlyMap<string, Cluster>;

/** Returns the clusters of values by their prompt. */
export function clustersOf(values: readonly (Cluster & { readonly prompt: string })[]): Clusters {
  const byPrompt = new Map<string, Cluster>();
  for (const { prompt, sum, weight } of values) {
    const before = byPrompt.get(prompt) ?? { sum: 0, weight: 0 };
    byPrompt.set(prompt, { sum: before.sum + sum, weight: before.weight + weight });
  }
  return byPrompt;
}
