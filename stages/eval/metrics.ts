/**
 * From judged answers to the rows of `evals@1`: for every model and mode the mean of every metric, with its standard
 * error over prompts.
 * @module
 */
import type { DecodingMode, EvalRow } from "@/lib/contracts/evals.ts";
import { clusterMean, clustersOf } from "./cluster_mean.ts";
import type { JudgedAnswer } from "./judged_answer.ts";

/**
 * Distinct pairs of neighbouring words by all pairs, over a set of responses; 0 where there is no pair. Words are what
 * stands between white space. Source: Li et al. 2016 (arXiv:1510.03055), distinct-2.
 */
export function distinctBigrams(responses: readonly string[]): number {
  const pairs = responses.flatMap((response) => {
    const words = response.split(/\s+/).filter((word) => word !== "");
    return words.slice(1).map((word, i) => `${words[i]} ${word}`);
  });
  return pairs.length === 0 ? 0 : new Set(pairs).size / pairs.length;
}

/** All metrics of one model in one mode. `answers` are its own; metrics come in the order of their figures. */
export function metricRows(
  model: string,
  mode: DecodingMode,
  answers: readonly JudgedAnswer[],
): EvalRow[] {
  const names = new Set(answers.flatMap(({ figures }) => Object.keys(figures)));
  const rows = [...names].map((metric): EvalRow => {
    const having = answers.filter(({ figures }) => Object.hasOwn(figures, metric));
    const clusters = clustersOf(
      having.map(({ row, figures }) => ({ prompt: row.promptId, sum: figures[metric]!, weight: 1 })),
    );
    return { model, mode, metric, ...clusterMean(clusters), n: having.length };
  });
  const measured = answers.flatMap(({ row, fluency }) =>
    fluency ? [{ prompt: row.promptId, sum: fluency.mean * fluency.tokens, weight: fluency.tokens }] : []
  );
  if (measured.length > 0) {
    const pooled = clusterMean(clustersOf(measured));
    rows.push({ model, mode, metric: "base_nll", ...pooled, n: measured.length });
  }
  const mean = distinctBigrams(answers.map(({ response }) => response));
  rows.push({ model, mode, metric: "distinct_2", mean, stderr: 0, n: answers.length });
  return rows;
}
