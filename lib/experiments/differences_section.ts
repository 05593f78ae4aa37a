/** The part of the page with the differences to the controls: their intervals, and all of them in numbers. @module */
import { MODES } from "@/lib/report/comparison.ts";
import { decimal } from "@/lib/report/format.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { inOrder, metricDifference, metricInfo } from "@/lib/report/metric_catalogue.ts";
import { armLabel, type ExperimentReport } from "./experiment_report.ts";
import { intervalRows, verdictOf } from "./interval_rows.ts";
import { DECODING, placeLabel } from "./results_section.ts";

type Difference = ExperimentReport["differences"][number];

/** A p value as text; small ones as a bound. */
export function pText(p: number | null): string {
  if (p === null) return "–";
  return p < 0.0005 ? "< 0.001" : decimal(p, 3);
}

/** `+0.095 to +0.132`, or a dash for one seed. */
export function intervalText(metric: string, interval: Difference["interval"]): string {
  return interval === null
    ? "–"
    : `${metricDifference(metric, interval[0])} to ${metricDifference(metric, interval[1])}`;
}

/**
 * In the leading metric, one plot for each control and mode. Untrained models are left to the numbers: they lie so far
 * away that nothing else could be told apart.
 */
function plots(report: ExperimentReport): (Html | undefined)[] {
  const untrained = new Set(report.arms.filter(({ model }) => model === "base").map(({ name }) => name));
  return report.controls.flatMap((against) =>
    MODES.map((mode) => {
      const rows = report.differences.filter((d) =>
        d.against === against && d.mode === mode && d.metric === report.metric && !untrained.has(d.arm)
      );
      const title = `Against ${armLabel(report, against)}, ${DECODING[mode].toLowerCase()}`;
      return intervalRows(
        title,
        rows.map((difference) => ({
          name: placeLabel(report, difference.arm, difference.point),
          difference,
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
  return markup`<details><summary>All differences to ${armLabel(report, against)} in numbers</summary>
<div class="scroll"><table><thead><tr><th>Arm</th>${
    headings.map((h) => markup`<th scope="col">${h}</th>`)
  }</tr></thead><tbody>${
    rows.map((d) =>
      markup`<tr><th scope="row">${placeLabel(report, d.arm, d.point)}</th>
<td>${metricInfo(d.metric).short}, ${d.mode}</td><td class="${verdictOf(d)}">${
        metricDifference(d.metric, d.mean)
      }</td><td>${metricDifference(d.metric, d.std).replace(/^\+/, "")}</td><td>${
        intervalText(d.metric, d.interval)
      }</td><td>${intervalText(d.metric, d.bootstrap)}</td><td>${pText(d.p)}</td><td>${
        pText(d.adjusted_p)
      }</td><td>${d.above}/${d.n}</td></tr>
`
    )
  }</tbody></table></div></details>
`;
}

/** The section; nothing without a control. */
export function differencesSection(report: ExperimentReport): Html | undefined {
  if (report.differences.length === 0) return undefined;
  return markup`<h2>Differences</h2>
<p class="lead">Arm minus control, seed by seed: both start from the same weights where they share stages, and answer the same
prompts with the same random numbers. The interval is mean ± t(0.975, n − 1) · std / √n; green and red leave zero out.</p>
<div class="plots">${plots(report)}</div>
${report.controls.map((against) => numbers(report, against))}`;
}
