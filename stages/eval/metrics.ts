/**
 * Computes the rows of `evals@1`: for every model and mode the mean of every metric, with its standard error over prompts.
 * @module
 */
import type { DecodingMode, EvalRow } from "@/lib/data/contracts/evals.ts";
import { clusterMean, clustersOf } from "@/lib/model/benchmarks/statistics/cluster_mean.ts";
import type { EvaluatedResponse } from "./evaluated_response.ts";

/**
 * Returns distinct-2: the number of distinct word bigrams divided by the number of all word bigrams of a set of responses; 0 without
 * bigrams. Words are separated by white space. Source: Li et al. 2016 (arXiv:1510.03055).
 */
export function distinctBigrams(responses: readonly string[]): number {
  const pairs = responses.flatMap((response) => {
    const words = response.split(/\s+/).filter((word) => word !== "");
    return words.slice(1).map((word, i) => `${words[i]} ${word}`);
  });
  return pairs.length === 0 ? 0 : new Set(pairs).size / pairs.length;
}

/** Returns all metrics of one model in one mode, from its responses. */
export function metricRows(
  model: string,
  mode: DecodingMode,
  responses: readonly EvaluatedResponse[],
): EvalRow[] {
  const names = new Set(responses.flatMap(({ metrics }) => Object.keys(metrics)));
  const rows = [...names].map((metric): EvalRow => {
    const measured = responses.filter(({ metrics }) => Object.hasOwn(metrics, metric));
    const clusters = clustersOf(
      measured.map(({ row, metrics }) => ({ prompt: row.promptId, sum: metrics[metric]!, weight: 1 })),
    );
    return { model, mode, metric, ...clusterMean(clusters), n: measured.length };
  });
  const nlls = responses.flatMap(({ row, baseNll: nll }) =>
    nll ? [{ prompt: row.promptId, sum: nll.mean * nll.tokens, weight: nll.tokens }] : []
  );
  if (nlls.length > 0) {
    rows.push({ model, mode, metric: "base_nll", ...clusterMean(clustersOf(nlls)), n: nlls.length });
  }
  const mean = distinctBigrams(responses.map(({ response }) => response));
  rows.push({ model, mode, metric: "distinct_2", mean, stderr: 0, n: responses.length });
  return rows;
}
