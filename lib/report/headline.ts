/**
 * The result in words. A difference is significant when its 95 % interval excludes zero. The headline compares the last model with
 * the best of the others but the base, which is continued SFT or SFT in the manifests: beating the worse of them says little.
 * @module
 */
import { type ComparisonRow, DECODING, type DifferenceRow, find, modelsOf, MODES } from "./comparison.ts";
import { decimal, displayName, signed } from "./format.ts";
import {
  labelInSentence,
  metricDifference,
  metricInfo,
  metricInterval,
  metricText,
} from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";

/** Metrics that a verdict may be about: the first of them that was measured. docs/report.md says how often each is right. */
const VERDICTS = ["score", "audit_reward", "validation_nll"];
/** Measures of fluency. */
const FLUENCY = ["base_nll", "judge_nll"];
/** With so many equal differences other than zero, the two-sided sign test has p < 0.05. */
const EQUAL_DIFFERENCES = 6;

/** What an interval of differences says; level: no significant difference. */
export type Verdict = "better" | "worse" | "level";

/** What the headline reads of a report. */
type Compared = Pick<Report, "models" | "comparison" | "differences">;

/** Returns the 95 % interval of a difference within one run; null if there is none. */
export function intervalOf({ low, high }: DifferenceRow): readonly [low: number, high: number] | null {
  return low === null || high === null ? null : [low, high];
}

/** Returns what `interval` says about a difference in `metric`; without an interval nothing is significant. */
export function verdictOf(metric: string, interval: readonly [number, number] | null): Verdict {
  const { better } = metricInfo(metric);
  if (interval === null || better === undefined || (interval[0] <= 0 && interval[1] >= 0)) return "level";
  return (interval[0] > 0) === (better === "more") ? "better" : "worse";
}

/** Returns what a difference says: by its interval, or, if all prompts have the same difference, by the sign test. */
export function differenceVerdict(d: DifferenceRow): Verdict {
  const interval = intervalOf(d);
  if (interval !== null || d.n < EQUAL_DIFFERENCES) return verdictOf(d.metric, interval);
  return verdictOf(d.metric, [d.mean, d.mean]);
}

/** Returns why a difference has no interval. */
export function withoutInterval({ n, method }: DifferenceRow): string {
  if (n < 2) return `not enough prompts: ${n}, at least 2 are required`;
  return method === "paired" ? `the same on all ${decimal(n, 0)} prompts` : "no interval is known";
}

function finding(d: DifferenceRow): string {
  const interval = intervalOf(d), verdict = differenceVerdict(d);
  const { better } = metricInfo(d.metric);
  return [
    `${displayName(d.model)} − ${displayName(d.against)}`,
    labelInSentence(d.metric),
    `${DECODING[d.mode].toLowerCase()}: ${metricDifference(d.metric, d.mean)}`,
    interval === null ? withoutInterval(d) : `95 % interval ${metricInterval(d.metric, interval)}`,
    ...(d.n < 2 || better === undefined ? [] : [verdict === "level" ? "no significant difference" : verdict]),
  ].join(", ");
}

/** Returns the first metric of a verdict that `rows` have, else the trained reward if they have it. */
export function leadingMetric(rows: readonly { readonly metric: string }[]): string | undefined {
  return [...VERDICTS, "reward"].find((metric) => rows.some((r) => r.metric === metric));
}

/** Returns the row of the last model in the leading metric, greedy decoding before sampling. */
function leadingRow(rows: readonly ComparisonRow[]): ComparisonRow | undefined {
  const subject = modelsOf(rows).at(-1);
  const own = rows.filter((r) => r.model === subject);
  const metric = leadingMetric(own);
  return MODES.map((mode) => own.find((r) => r.metric === metric && r.mode === mode)).find((r) => r);
}

function differencesIn({ models, differences }: Compared, metric: string | undefined): DifferenceRow[] {
  const others = models.filter(({ base }) => !base);
  return MODES.flatMap((mode) =>
    others.flatMap(({ name }) =>
      differences.find((d) => d.mode === mode && d.metric === metric && d.against === name) ?? []
    )
  );
}

/** Returns the differences in the leading metric to every model but the base, greedy decoding before sampling. */
export function keyDifferences(compared: Compared): DifferenceRow[] {
  return differencesIn(compared, leadingRow(compared.comparison)?.metric);
}

/** Returns of some differences in one metric and mode the one from the best model. */
function toughest(differences: readonly DifferenceRow[]): DifferenceRow | undefined {
  const sign = differences[0] && metricInfo(differences[0].metric).better === "less" ? -1 : 1;
  return differences.reduce<DifferenceRow | undefined>(
    (a, b) => a === undefined || sign * b.mean < sign * a.mean ? b : a,
    undefined,
  );
}

/** Returns the headline and the findings below it; the comparison may be empty. */
export function headline(compared: Compared): { readonly headline: string; readonly findings: string[] } {
  const own = leadingRow(compared.comparison);
  if (own === undefined) return { headline: "Run finished; no models were compared", findings: [] };
  const differences = keyDifferences(compared), { metric } = own;
  const byMode = MODES.flatMap((mode) => toughest(differences.filter((d) => d.mode === mode)) ?? []);
  const [first] = byMode;
  if (first === undefined) {
    const value = `${labelInSentence(metric)} ${metricText(metric, own.mean)}`;
    return {
      headline: `${displayName(own.model)}: ${value} (${DECODING[own.mode].toLowerCase()})`,
      findings: [],
    };
  }
  return {
    headline: comparedInWords(compared, byMode),
    findings: [
      ...differences.map(finding),
      ...FLUENCY.flatMap((name) => fluencyFindings(compared, name, byMode)),
      ...byMode.flatMap((d) => overoptimization(compared, d) ?? []),
    ],
  };
}

/** Returns the headline about the differences from the best other model, one for each mode. */
function comparedInWords(compared: Compared, byMode: readonly DifferenceRow[]): string {
  const { comparison } = compared, first = byMode[0]!, { model, against, metric, mode, n } = first;
  const others = compared.models.filter(({ name, base }) => !base && name !== model);
  const [one, two] = [model, against].map((name) =>
    metricText(metric, find(comparison, { model: name, mode, metric })!.mean)
  );
  const subject = displayName(model), decoding = DECODING[mode].toLowerCase();
  const other = `${displayName(against)}${others.length > 1 ? ", the best of the other models" : ""}`;
  const values = `${labelInSentence(metric)} ${one} vs. ${two} (${decoding})`;
  if (n < 2) return `Not enough prompts to compare ${subject} with ${displayName(against)}: ${values}`;
  if (metric === "reward") {
    return `No verdict, as only the trained reward was measured, which PPO maximizes: ${one} for ${subject} vs. ${two} for ` +
      `${displayName(against)} (${decoding})`;
  }
  const text = {
    better: `${subject} beats ${other}`,
    worse: `${subject} is worse than ${other}`,
    level: `No significant difference between ${subject} and ${other}`,
  };
  const verdict = differenceVerdict(first);
  const differing = byMode.slice(1).filter((d) => differenceVerdict(d) !== verdict).map((d) => {
    const found =
      { better: "better", worse: "worse", level: "no significant difference" }[differenceVerdict(d)];
    return `; ${DECODING[d.mode].toLowerCase()}: ${found}${
      d.against === against ? "" : ` (${displayName(d.against)})`
    }`;
  });
  return `${text[verdict]}: ${values}${differing.join("")}`;
}

/** Returns the findings about fluency, against the models of the headline. */
function fluencyFindings(
  compared: Compared,
  metric: string,
  byMode: readonly DifferenceRow[],
): string[] {
  return differencesIn(compared, metric).filter((d) =>
    byMode.some(({ mode, against }) => d.mode === mode && d.against === against)
  ).map(finding);
}

/** Returns how much more the trained reward rose than the audit reward; undefined unless both were measured. */
function overoptimization(compared: Compared, { mode, against, model }: DifferenceRow): string | undefined {
  const [trained, audit] = ["reward", "audit_reward"].map((metric) =>
    differencesIn(compared, metric).find((d) => d.mode === mode && d.against === against)?.mean
  );
  if (trained === undefined || audit === undefined) return undefined;
  const gap = trained - audit;
  const verdict = gap > 0 ? `the gap of ${signed(gap, 2)} is over-optimization` : "no over-optimization";
  return `${displayName(model)} − ${displayName(against)}, ${DECODING[mode].toLowerCase()}: trained reward ${
    signed(trained, 2)
  }, audit reward ${signed(audit, 2)}; ${verdict}`;
}
