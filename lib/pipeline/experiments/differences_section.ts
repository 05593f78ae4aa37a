/** The section with the differences to the controls: their intervals, and all of them in numbers. @module */
import { DECODING, MODES } from "@/lib/report/comparison.ts";
import { decimal } from "@/lib/report/format.ts";
import { verdictOf } from "@/lib/report/headline.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { intervalPlot } from "@/lib/report/interval_plot.ts";
import {
  inOrder,
  labelInSentence,
  metricDifference,
  metricInterval,
  shortLabel,
} from "@/lib/report/metric_catalogue.ts";
import { armLabel, type ExperimentReport } from "./experiment_report.ts";
import { placeLabel, table } from "./results_section.ts";

type Difference = ExperimentReport["differences"][number];

/** Returns a p value as text; small ones as a bound. */
export function pText(p: number | null): string {
  if (p === null) return "–";
  return p < 0.0005 ? "< 0.001" : decimal(p, 3);
}

/** Returns `+0.095 to +0.132`, or a dash for one seed. */
export function intervalText(metric: string, interval: Difference["interval"]): string {
  return interval === null ? "–" : metricInterval(metric, interval);
}

/**
 * Returns one plot of the leading metric for each control and mode. Base models are left out: their differences are so
 * large that the others could not be distinguished.
 */
function plots(report: ExperimentReport): (Html | undefined)[] {
  const bases = new Set(report.arms.filter(({ base }) => base).map(({ name }) => name));
  const { metric } = report;
  return report.controls.flatMap((against) =>
    MODES.map((mode) => {
      const rows = report.differences.filter((d) =>
        d.against === against && d.mode === mode && d.metric === metric && !bases.has(d.arm)
      );
      return intervalPlot(
        `Difference in ${labelInSentence(metric)} to ${armLabel(report, against)}, ${
          DECODING[mode].toLowerCase()
        }, with 95 % interval over seeds`,
        metric,
        rows.map((d) => ({
          name: placeLabel(report, d.arm, d.point),
          mean: d.mean,
          interval: d.interval,
          note: d.interval === null ? "one seed" : `, ${d.n} seeds`,
        })),
      );
    })
  );
}

function numbers(report: ExperimentReport, against: string): Html {
  const own = report.differences.filter((d) => d.against === against);
  const rows = inOrder(own.map((d) => d.metric)).flatMap((metric) =>
    MODES.flatMap((mode) => own.filter((d) => d.metric === metric && d.mode === mode))
  );
  const headings = [
    "Metric",
    "Mean",
    "Std",
    "95 % interval (t)",
    "(bootstrap)",
    "p",
    "p (Holm)",
    "Seeds above 0",
  ];
  const lines = rows.map((d) =>
    markup`<tr><th scope="row">${placeLabel(report, d.arm, d.point)}</th>
<td>${shortLabel(d.metric)}, ${d.mode}</td><td class="${verdictOf(d.metric, d.interval)}">${
      metricDifference(d.metric, d.mean)
    }</td><td>${metricDifference(d.metric, d.std).replace(/^\+/, "")}</td><td>${
      intervalText(d.metric, d.interval)
    }</td><td>${intervalText(d.metric, d.bootstrap)}</td><td>${pText(d.p)}</td><td>${
      pText(d.adjusted_p)
    }</td><td>${d.above}/${d.n}</td></tr>
`
  );
  return markup`<details><summary>All differences to ${armLabel(report, against)} in numbers</summary>
${table("Arm", headings, lines)}</details>
`;
}

/** Returns the section; undefined without a control. */
export function differencesSection(report: ExperimentReport): Html | undefined {
  if (report.differences.length === 0) return undefined;
  return markup`<h2>Differences</h2>
<p class="lead">Arm minus control arm, paired by seed: both use the same prompts and random numbers, and the same outputs of
stages that they share. The interval is mean ± t(0.975, n − 1) · std / √n; green and red intervals exclude
zero.</p>
<div class="plots">${plots(report)}</div>
${report.controls.map((against) => numbers(report, against))}`;
}
