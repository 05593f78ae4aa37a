/** Paired bootstrap over documents: an interval of the difference between two models on the same documents. @module */
import { PythonRandom } from "../python/random.ts";
import type { Cluster } from "./cluster_mean.ts";

/** Resamples; the ends of the interval vary by about 1 % of its length between seeds. */
const RESAMPLES = 10_000;

/** A difference with its 95 % interval. */
export interface BootstrapDifference {
  /** first minus second */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  /** share of resamples in which the first is not better, times two, at most 1 */
  readonly p: number;
}

/**
 * Returns the difference Σ sum / Σ weight of `a` minus that of `b`, with the percentile interval over resampled documents.
 * Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; Koehn 2004 for pairs.
 * @param a one cluster per document; documents without a value of both models are left out, at least one has them
 * @param b of the same documents, in the same order
 */
export function pairedBootstrap(a: readonly Cluster[], b: readonly Cluster[]): BootstrapDifference {
  const kept = a.flatMap((_, i) => a[i]!.weight > 0 && b[i]!.weight > 0 ? [i] : []);
  const count = kept.length, random = new PythonRandom(0), differences = new Float64Array(RESAMPLES);
  const difference = meanOf(kept.map((i) => a[i]!)) - meanOf(kept.map((i) => b[i]!));
  let notBetter = 0, notWorse = 0;
  for (let k = 0; k < RESAMPLES; k++) {
    let sumA = 0, weightA = 0, sumB = 0, weightB = 0;
    for (let i = 0; i < count; i++) {
      const at = kept[random.below(count)]!;
      sumA += a[at]!.sum;
      weightA += a[at]!.weight;
      sumB += b[at]!.sum;
      weightB += b[at]!.weight;
    }
    const found = sumA / weightA - sumB / weightB;
    differences[k] = found;
    if (found <= 0) notBetter++;
    if (found >= 0) notWorse++;
  }
  differences.sort();
  const quantile = (q: number) => differences[Math.round(q * (RESAMPLES - 1))]!;
  return {
    difference,
    low: quantile(0.025),
    high: quantile(0.975),
    p: Math.min(1, 2 * Math.min(notBetter, notWorse) / RESAMPLES),
  };
}

function meanOf(clusters: readonly Cluster[]): number {
  let sum = 0, weight = 0;
  for (const cluster of clusters) {
    sum += cluster.sum;
    weight += cluster.weight;
  }
  return sum / weight;
}
