/**
 * The result in words. A difference is significant when its 95 % interval excludes zero.
 * @module
 */
import { type ComparisonRow, DECODING, type DifferenceRow, find, modelsOf, MODES } from "./comparison.ts";
import { displayName } from "./format.ts";
import {
  labelInSentence,
  metricDifference,
  metricInfo,
  metricInterval,
  metricText,
} from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";

/** Metrics that the headline is about: the first of them that was measured. */
const LEADING = ["score", "validation_nll", "reward"];
/** Half the width of a 95 % interval in standard errors, for means of many responses. */
const Z95 = 1.96;

/** What an interval of differences says; level: no significant difference. */
export type Verdict = "better" | "worse" | "level";

/** What the headline reads of a report. */
type Compared = Pick<Report, "models" | "comparison" | "differences">;

/** Returns the 95 % interval of a difference within one run. */
export function intervalOf({ mean, stderr }: DifferenceRow): readonly [low: number, high: number] {
  return [mean - Z95 * stderr, mean + Z95 * stderr];
}

/** Returns what `interval` says about a difference in `metric`; without an interval nothing is significant. */
export function verdictOf(metric: string, interval: readonly [number, number] | null): Verdict {
  const { better } = metricInfo(metric);
  if (interval === null || better === undefined || (interval[0] <= 0 && interval[1] >= 0)) return "level";
  return (interval[0] > 0) === (better === "more") ? "better" : "worse";
}

function finding(d: DifferenceRow): string {
  const interval = intervalOf(d), verdict = verdictOf(d.metric, interval);
  return [
    `${displayName(d.model)} − ${displayName(d.against)}`,
    labelInSentence(d.metric),
    `${DECODING[d.mode].toLowerCase()}: ${metricDifference(d.metric, d.mean)}`,
    `95 % interval ${metricInterval(d.metric, interval)}`,
    verdict === "level" ? "no significant difference" : verdict,
  ].join(", ");
}

/** Returns the first of the leading metrics that `rows` have. */
export function leadingMetric(rows: readonly { readonly metric: string }[]): string | undefined {
  return LEADING.find((metric) => rows.some((r) => r.metric === metric));
}

/** Returns the row of the last model in the leading metric, greedy decoding before sampling. */
function leadingRow(rows: readonly ComparisonRow[]): ComparisonRow | undefined {
  const subject = modelsOf(rows).at(-1);
  const own = rows.filter((r) => r.model === subject);
  const metric = leadingMetric(own);
  return own.find((r) => r.metric === metric);
}

/** Returns the differences in the leading metric to every model but the base, greedy decoding before sampling. */
export function keyDifferences({ models, comparison, differences }: Compared): DifferenceRow[] {
  const metric = leadingRow(comparison)?.metric;
  const others = models.filter(({ base }) => !base);
  return MODES.flatMap((mode) =>
    others.flatMap(({ name }) =>
      differences.find((d) => d.mode === mode && d.metric === metric && d.against === name) ?? []
    )
  );
}

/** Returns the headline and the findings below it; the comparison may be empty. */
export function headline(compared: Compared): { readonly headline: string; readonly findings: string[] } {
  const { comparison } = compared;
  const own = leadingRow(comparison);
  if (own === undefined) return { headline: "Run finished; no models were compared", findings: [] };
  const differences = keyDifferences(compared);
  const first = differences[0];
  const { model, metric } = own;
  const valueOf = (row: ComparisonRow) => metricText(metric, row.mean);
  const subject = displayName(model), label = labelInSentence(metric);
  if (first === undefined) {
    return {
      headline: `${subject}: ${label} ${valueOf(own)} (${DECODING[own.mode].toLowerCase()})`,
      findings: [],
    };
  }
  const { mode, against } = first;
  const other = displayName(against);
  const text = {
    better: `${subject} beats ${other}`,
    worse: `${subject} is worse than ${other}`,
    level: `No significant difference between ${subject} and ${other}`,
  }[verdictOf(metric, intervalOf(first))];
  const [one, two] = [model, against].map((model) => valueOf(find(comparison, { model, mode, metric })!));
  return {
    headline: `${text}: ${label} ${one} vs. ${two} (${DECODING[mode].toLowerCase()})`,
    findings: differences.map(finding),
  };
}
