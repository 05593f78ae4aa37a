/**
 * Computes by how much models differ on the same prompts. The unit is the prompt: prompts are hard or easy for all models alike, so
 * the difference within prompts varies less than each model's mean.
 * @module
 */
import type { DifferenceOfModels } from "@/lib/data/contracts/differences.ts";
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import { studentQuantile } from "@/lib/pipeline/experiments/student_t.ts";
import { clusterMean, type Clusters } from "@/lib/model/benchmarks/statistics/cluster_mean.ts";
import { centredInterval } from "./distinct_interval.ts";

/** What was measured of one model in one mode. */
export interface ModelMeasurement {
  readonly model: string;
  readonly mode: DecodingMode;
  /** by metric */
  readonly clusters: ReadonlyMap<string, Clusters>;
  /** values of distinct_2 on resamples of the prompts, the same resamples for all models */
  readonly distinct: { readonly value: number; readonly resampled: Float64Array; readonly prompts: number };
}

/** A difference of two means over prompts. */
interface Difference {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly n: number;
}

/**
 * Returns the difference of two ratios R = Σ sumₚ / Σ weightₚ over the same P prompts, with the interval ± t(0.975, P − 1) · s,
 * s² = P/(P−1) · Σₚ (uₚ − vₚ)², where u and v are the residuals (sumₚ − R·weightₚ) / Σ weight of both sides. With equal weights s
 * is the standard error of the mean of the prompts' differences. A prompt without a value on one side counts there with weight 0.
 * Source: Cochran, Sampling Techniques (1977), section 6.9 (ratios of the same units), with Student's t for few prompts.
 *
 * @returns low and high null with fewer than two prompts, or if the differences of all prompts are equal
 */
export function pairedRatioDifference(a: Clusters, b: Clusters): Difference {
  const prompts = new Set([...a.keys(), ...b.keys()]), n = prompts.size;
  const residuals = (clusters: Clusters) => {
    const { mean } = clusterMean(clusters.values());
    let total = 0;
    for (const { weight } of clusters.values()) total += weight;
    return (prompt: string) => {
      const { sum, weight } = clusters.get(prompt) ?? { sum: 0, weight: 0 };
      return (sum - mean * weight) / total;
    };
  };
  const ofA = residuals(a), ofB = residuals(b);
  const mean = clusterMean(a.values()).mean - clusterMean(b.values()).mean;
  let squares = 0;
  for (const prompt of prompts) squares += (ofA(prompt) - ofB(prompt)) ** 2;
  const half = n < 2 ? 0 : studentQuantile(0.975, n - 1) * Math.sqrt(squares * n / (n - 1));
  // Residuals that cancel leave rounding errors: what is below the precision of the mean is no spread.
  const isKnown = half > 1e-12 * Math.max(1, Math.abs(mean));
  return { mean, n, low: isKnown ? mean - half : null, high: isKnown ? mean + half : null };
}

/** Returns the differences of every model from each one before it, in all metrics and modes that both have. */
export function differencesOf(measured: readonly ModelMeasurement[]): DifferenceOfModels[] {
  return measured.flatMap((own, k) =>
    measured.slice(0, k).filter(({ mode }) => mode === own.mode).flatMap((other): DifferenceOfModels[] => {
      const names = { model: own.model, against: other.model, mode: own.mode };
      const paired = [...own.clusters].flatMap(([metric, clusters]): DifferenceOfModels[] => {
        const theirs = other.clusters.get(metric);
        return theirs === undefined
          ? []
          : [{ ...names, metric, method: "paired", ...pairedRatioDifference(clusters, theirs) }];
      });
      const mean = own.distinct.value - other.distinct.value;
      const theirs = other.distinct.resampled;
      const resampled = own.distinct.resampled.slice(0, theirs.length).map((value, i) => value - theirs[i]!);
      const interval = centredInterval(mean, resampled);
      const n = own.distinct.prompts;
      return [...paired, { ...names, metric: "distinct_2", method: "bootstrap", mean, ...interval, n }];
    })
  );
}
