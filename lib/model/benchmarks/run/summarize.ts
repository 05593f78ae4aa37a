/** Means, standard errors and comparisons of a task's results. @module */
import { type Cluster, clusterMean } from "../statistics/cluster_mean.ts";
import type { BenchmarkDocument, BenchmarkTask } from "../tasks/task.ts";
import type { DocumentResult } from "./run_benchmark.ts";

/** One metric of a task. */
export interface MetricSummary {
  readonly metric: string;
  readonly mean: number;
  readonly stderr: number;
  /** number of documents, or of their parts for metrics such as inst_level_strict_acc */
  readonly n: number;
}

/** Returns the values of a metric, a cluster per document: the sum over its samples and parts, and their number. */
export function clustersOfMetric(documents: readonly DocumentResult[], metric: string): Cluster[] {
  return documents.map(({ outcomes }) => {
    const values = outcomes.flatMap(({ metrics }) => metrics[metric] ?? []);
    return { sum: values.reduce((sum, value) => sum + value, 0), weight: values.length };
  });
}

/** Returns the names of the metrics of some results. */
export function metricNames(documents: readonly DocumentResult[]): string[] {
  return [
    ...new Set(documents.flatMap(({ outcomes }) => outcomes.flatMap(({ metrics }) => Object.keys(metrics)))),
  ];
}

/** Returns all metrics: mean, standard error over documents (n − 1 in the variance), number of values. */
export function summarize(documents: readonly DocumentResult[]): MetricSummary[] {
  return metricNames(documents).map((metric) => {
    const clusters = clustersOfMetric(documents, metric);
    const n = clusters.reduce((sum, { weight }) => sum + weight, 0);
    return { metric, ...clusterMean(clusters), n };
  });
}

/** Returns the metrics by the values of the task's `groupBy`; none without it. */
export function summarizeGroups(
  task: BenchmarkTask,
  docs: readonly BenchmarkDocument[],
  documents: readonly DocumentResult[],
): Record<string, MetricSummary[]> {
  if (task.groupBy === undefined) return {};
  const { groupBy } = task;
  const groups = Map.groupBy(
    documents.map((result, i) => ({ result, group: String(docs[i]![groupBy]) })),
    (row) => row.group,
  );
  return Object.fromEntries(
    [...groups].sort(([a], [b]) => a < b ? -1 : 1).map((
      [group, rows],
    ) => [group, summarize(rows.map(({ result }) => result))]),
  );
}
