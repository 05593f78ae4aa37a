/**
 * Compares models: by how much the last model differs from every other, with the uncertainty, and which model is best
 * in a metric. Rows in, rows out; reads no file.
 * @module
 */
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import { metricInfo } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { spreadOf } from "./spread.ts";
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";

/** A row of the comparison. */
export type ComparisonRow = Report["comparison"][number];
/** A difference of two models. */
export type DifferenceRow = Report["differences"][number];
/** A response with its scores. */
export type ReportSample = Report["samples"][number];

/** Headings of the decoding modes, in the order in which they are shown. */
export const DECODING: Readonly<Record<DecodingMode, string>> = {
  greedy: "Greedy decoding",
  sampled: "Sampling",
};

/** Decoding modes in the order in which they are shown. */
export const MODES = Object.keys(DECODING) as readonly DecodingMode[];

/** Returns the models of some rows, in the order of the rows. */
export function modelsOf(rows: readonly { readonly model: string }[]): string[] {
  return [...new Set(rows.map((r) => r.model))];
}

/** Returns the row of a model, mode and metric, if there is one. */
export function find(
  rows: readonly ComparisonRow[],
  key: { readonly model: string; readonly mode: DecodingMode; readonly metric: string },
): ComparisonRow | undefined {
  return rows.find((r) => r.model === key.model && r.mode === key.mode && r.metric === key.metric);
}

/**
 * Returns mean and standard error of a − b over the prompts of both, or undefined unless they are as many, at least two.
 * The standard error is that of the mean of the n differences, with n − 1 in the variance.
 */
export function meanDifference(
  a: readonly number[],
  b: readonly number[],
): { readonly mean: number; readonly stderr: number } | undefined {
  if (a.length !== b.length || a.length < 2) return undefined;
  const { mean, std, n } = spreadOf(a.map((value, i) => value - b[i]!));
  return { mean, stderr: std / Math.sqrt(n) };
}

function scoresByPrompt(
  samples: readonly ReportSample[],
  row: ComparisonRow,
): Map<string, number> | undefined {
  const own = samples.filter((s) => s.model === row.model && s.mode === row.mode);
  const scores = new Map<string, number>();
  for (const sample of own) {
    const score = sample.scores[row.metric];
    if (score !== undefined) scores.set(sample.prompt_id, score);
  }
  return scores.size === row.n && own.length === row.n ? scores : undefined;
}

/**
 * Returns how the last model differs from every other, in every mode and metric that both have: paired by prompt where
 * all scores of both are known, otherwise from the two standard errors as if the responses were independent.
 */
export function differences(
  rows: readonly ComparisonRow[],
  samples: readonly ReportSample[],
): DifferenceRow[] {
  const models = modelsOf(rows);
  const subject = models.pop();
  const result: DifferenceRow[] = [];
  for (const own of rows) {
    if (own.model !== subject) continue;
    const { mode, metric } = own;
    const scores = scoresByPrompt(samples, own);
    for (const against of models) {
      const other = find(rows, { model: against, mode, metric });
      if (other === undefined) continue;
      const theirs = scoresByPrompt(samples, other);
      const ids = scores === undefined || theirs === undefined ? [] : [...scores.keys()];
      const paired = ids.every((id) => theirs!.has(id))
        ? meanDifference(ids.map((id) => scores!.get(id)!), ids.map((id) => theirs!.get(id)!))
        : undefined;
      result.push({
        model: own.model,
        against,
        mode,
        metric,
        mean: own.mean - other.mean,
        stderr: paired?.stderr ?? Math.hypot(own.stderr, other.stderr),
        n: Math.min(own.n, other.n),
        paired: paired !== undefined,
      });
    }
  }
  return result;
}

/** Returns the best of `rows`, which share a metric; none where no direction is better or all are equal. */
export function bestOf<Row extends { readonly metric: string; readonly mean: number }>(
  rows: readonly Row[],
): ReadonlySet<Row> {
  const better = rows[0] && metricInfo(rows[0].metric).better;
  if (better === undefined) return new Set();
  const means = rows.map(({ mean }) => mean);
  const best = better === "more" ? largest(means) : smallest(means);
  const winners = rows.filter(({ mean }) => mean === best);
  return new Set(winners.length === rows.length ? [] : winners);
}
