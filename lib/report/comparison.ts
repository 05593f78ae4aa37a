/**
 * Compares models: by how much the last model differs from every other, with the uncertainty, and which model is best
 * in a metric. Rows in, rows out; reads no file.
 * @module
 */
import type { DifferenceOfModels } from "@/lib/data/contracts/differences.ts";
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import { metricInfo } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";

/** A row of the comparison. */
export type ComparisonRow = Report["comparison"][number];
/** A difference of two models. */
export type DifferenceRow = Report["differences"][number];
/** A response with its scores, to read. */
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

/** Half the width of a 95 % interval in standard errors, for means of many responses. */
const Z95 = 1.96;

/**
 * Returns the difference of two means as if their responses were independent: for models that different stages evaluated.
 * @returns low and high null if a standard error is not known, that is, 0
 */
function unpaired(
  own: ComparisonRow,
  other: ComparisonRow,
): Pick<DifferenceRow, "low" | "high" | "n" | "method"> {
  const mean = own.mean - other.mean, half = Z95 * Math.hypot(own.stderr, other.stderr);
  const isKnown = own.stderr > 0 && other.stderr > 0;
  const interval = isKnown ? { low: mean - half, high: mean + half } : { low: null, high: null };
  return { ...interval, n: Math.min(own.n, other.n), method: "unpaired" };
}

/**
 * Returns how the last model differs from every other, in every mode and metric that both have: as `measured` by the stage that
 * evaluated both on the same prompts, otherwise as if the responses were independent.
 */
export function differences(
  rows: readonly ComparisonRow[],
  measured: readonly DifferenceOfModels[],
): DifferenceRow[] {
  const models = modelsOf(rows);
  const subject = models.pop();
  return rows.filter(({ model }) => model === subject).flatMap((own) =>
    models.flatMap((against): DifferenceRow[] => {
      const { model, mode, metric } = own;
      const other = find(rows, { model: against, mode, metric });
      if (other === undefined) return [];
      const found = measured.find((d) =>
        d.model === model && d.against === against && d.mode === mode && d.metric === metric
      );
      return [{
        model,
        against,
        mode,
        metric,
        mean: own.mean - other.mean,
        ...found ?? unpaired(own, other),
      }];
    })
  );
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
