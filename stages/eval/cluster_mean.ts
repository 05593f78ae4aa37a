/**
 * Means with standard errors over prompts. Answers to one prompt are alike, so a prompt is what is drawn, not an answer.
 * @module
 */

/** One prompt's share of a mean: the sum of what is averaged, and how much of it there is (answers, or tokens). */
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
 * R = Σ sumₚ / Σ weightₚ, and the standard error of that ratio over P prompts,
 * √(P/(P−1) · Σ (sumₚ − R·weightₚ)²) / Σ weightₚ: with equal weights the sample deviation of the prompts' means over √P.
 * Source: Cochran, Sampling Techniques (1977), eq. 6.12 with the sample's variance, without finite population.
 *
 * @param clusters weights are at least 0, their sum above 0
 * @returns with one prompt a standard error of 0: nothing is known of its spread
 */
export function clusterMean(clusters: readonly Cluster[]): MeanError {
  let sum = 0, weight = 0;
  for (const cluster of clusters) {
    sum += cluster.sum;
    weight += cluster.weight;
  }
  const mean = sum / weight, count = clusters.length;
  if (count < 2) return { mean, stderr: 0 };
  const squares = clusters.reduce((total, c) => total + (c.sum - mean * c.weight) ** 2, 0);
  return { mean, stderr: Math.sqrt(squares * count / (count - 1)) / weight };
}

/** Clusters of figures by the prompt that each belongs to, in the order in which prompts first come. */
export function clustersOf(
  figures: readonly { readonly prompt: string; readonly sum: number; readonly weight: number }[],
): Cluster[] {
  const byPrompt = new Map<string, Cluster>();
  for (const { prompt, sum, weight } of figures) {
    const before = byPrompt.get(prompt) ?? { sum: 0, weight: 0 };
    byPrompt.set(prompt, { sum: before.sum + sum, weight: before.weight + weight });
  }
  return [...byPrompt.values()];
}
