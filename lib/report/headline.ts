/**
 * The result in words. A difference counts as one when its 95 % interval leaves zero out; otherwise the
 * sentence says that it cannot be told from zero.
 * @module
 */
import {
  type ComparisonRow,
  type DifferenceRow,
  find,
  modelName,
  modelsOf,
  MODES,
  subjectOf,
} from "./comparison.ts";
import { labelInSentence, metricDifference, metricInfo, metricText } from "./metric_catalogue.ts";

/** Metrics that can carry the headline, the most telling first. */
const LEADING = ["score", "validation_nll", "reward"];
/** Half the width of a 95 % interval in standard errors, for means of many answers. */
export const Z95 = 1.96;

const DECODING = { greedy: "in greedy decoding", sampled: "in samples" } as const;

/** What a difference says about the model under test. */
export function verdict(difference: DifferenceRow): "beats" | "falls behind" | "cannot be told from" {
  const sign = metricInfo(difference.metric).better === "less" ? -1 : 1;
  if (sign * difference.mean > Z95 * difference.stderr) return "beats";
  return sign * difference.mean < -Z95 * difference.stderr ? "falls behind" : "cannot be told from";
}

function finding(d: DifferenceRow): string {
  const change = (value: number) => metricDifference(d.metric, value);
  const outcome = {
    "beats": "better",
    "falls behind": "worse",
    "cannot be told from": "not distinguishable",
  };
  return `${d.mode === "greedy" ? "Greedy" : "Sampled"} ${labelInSentence(d.metric)}, ` +
    `${modelName(d.model)} − ${modelName(d.against)}: ${change(d.mean)}, 95 % interval ` +
    `${change(d.mean - Z95 * d.stderr)} to ${change(d.mean + Z95 * d.stderr)}: ${outcome[verdict(d)]}`;
}

/** The most telling metric of `rows`, if they hold one that can be told alone. */
export function leadingMetric(rows: readonly { readonly metric: string }[]): string | undefined {
  return LEADING.find((metric) => rows.some((r) => r.metric === metric));
}

function leading(rows: readonly ComparisonRow[]): { readonly subject?: string; readonly metric?: string } {
  const subject = subjectOf(modelsOf(rows));
  const metric = leadingMetric(rows.filter((r) => r.model === subject));
  return { ...(subject === undefined ? {} : { subject }), ...(metric === undefined ? {} : { metric }) };
}

/** The differences that carry the result: in the leading metric, to every trained baseline, greedy before sampled. */
export function tellingDifferences(
  rows: readonly ComparisonRow[],
  differences: readonly DifferenceRow[],
): DifferenceRow[] {
  const { metric } = leading(rows);
  const trained = modelsOf(rows).filter((model) => model !== "base");
  return MODES.flatMap((mode) =>
    trained.flatMap((against) =>
      differences.find((d) => d.mode === mode && d.metric === metric && d.against === against) ?? []
    )
  );
}

/** The headline and the findings under it, for a comparison that may be empty. */
export function headline(
  rows: readonly ComparisonRow[],
  differences: readonly DifferenceRow[],
): { readonly headline: string; readonly findings: string[] } {
  const { subject, metric } = leading(rows);
  if (subject === undefined || metric === undefined) {
    return { headline: "The run is finished; it compared no models", findings: [] };
  }
  const telling = tellingDifferences(rows, differences);
  const first = telling[0];
  const own = rows.find((r) => r.model === subject && r.metric === metric)!;
  const label = labelInSentence(metric);
  if (first === undefined) {
    const text = `${modelName(subject)}’s ${label} is ${metricText(metric, own.mean)} ${DECODING[own.mode]}`;
    return { headline: text, findings: [] };
  }
  const values =
    `${label} ${
      metricText(metric, find(rows, { model: subject, mode: first.mode, metric })!.mean)
    } against ` +
    `${metricText(metric, find(rows, { model: first.against, mode: first.mode, metric })!.mean)} ${
      DECODING[first.mode]
    }`;
  const names = [modelName(subject), modelName(first.against)] as const;
  const text = {
    "beats": `${names[0]} beats ${names[1]}: ${values}`,
    "falls behind": `${names[0]} falls behind ${names[1]}: ${values}`,
    "cannot be told from": `${names[0]} cannot be told from ${names[1]}: ${values}`,
  }[verdict(first)];
  return { headline: text, findings: telling.map(finding) };
}
