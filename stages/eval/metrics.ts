/**
 * Computes the rows of `evals@1`: for every model and mode the mean of every metric, with its standard error over prompts.
 * @module
 */
import type { DecodingMode, EvalRow } from "@/lib/data/contracts/evals.ts";
import { clusterMean, type Clusters, clustersOf } from "@/lib/model/benchmarks/statistics/cluster_mean.ts";
import type { ModelMeasurement } from "./differences.ts";
import { distinctBigrams, resampledError } from "./distinct_interval.ts";
import type { EvaluatedResponse } from "./evaluated_response.ts";

/** Metrics of one model in one mode: their means, and their parts by prompt. */
export interface MeasuredModel extends ModelMeasurement {
  readonly rows: readonly EvalRow[];
}

/**
 * Returns all metrics of one model in one mode, from its responses.
 * @param seed of the resamples of prompts
 */
export function measuredModel(
  model: string,
  mode: DecodingMode,
  responses: readonly EvaluatedResponse[],
  seed: number,
): MeasuredModel {
  const clusters = new Map<string, Clusters>();
  const rows: EvalRow[] = [];
  const add = (metric: string, values: Parameters<typeof clustersOf>[0]) => {
    if (values.length === 0) return;
    const found = clustersOf(values);
    clusters.set(metric, found);
    rows.push({ model, mode, metric, ...clusterMean(found.values()), n: values.length });
  };
  for (const metric of new Set(responses.flatMap(({ metrics }) => Object.keys(metrics)))) {
    const measured = responses.filter(({ metrics }) => Object.hasOwn(metrics, metric));
    add(
      metric,
      measured.map(({ row, metrics }) => ({ prompt: row.promptId, sum: metrics[metric]!, weight: 1 })),
    );
  }
  for (const metric of ["base_nll", "judge_nll"]) {
    add(
      metric,
      responses.flatMap(({ row, nlls: { [metric]: nll } }) =>
        nll ? [{ prompt: row.promptId, sum: nll.mean * nll.tokens, weight: nll.tokens }] : []
      ),
    );
  }
  const byPrompt = [...Map.groupBy(responses, ({ row }) => row.promptId).values()];
  const distinct = distinctBigrams(byPrompt.map((own) => own.map(({ response }) => response)), seed);
  const stderr = resampledError(distinct.resampled);
  rows.push({ model, mode, metric: "distinct_2", mean: distinct.value, stderr, n: responses.length });
  return { model, mode, clusters, distinct, rows };
}
