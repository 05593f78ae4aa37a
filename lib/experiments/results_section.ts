/** The part of the page with the figures: arms by metrics, means over seeds; over a grid, the leading metric by point. @module */
import type { DecodingMode } from "@/lib/contracts/evals.ts";
import { MODES } from "@/lib/report/comparison.ts";
import { counted } from "@/lib/report/format.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { inOrder, metricInfo, metricText } from "@/lib/report/metric_catalogue.ts";
import { bandChart, type BandSeries } from "./band_chart.ts";
import { armLabel, type ExperimentReport } from "./experiment_report.ts";

type Summary = ExperimentReport["results"][number];
type Point = Summary["point"];

/** How decoding is called in headings. */
export const DECODING: Readonly<Record<DecodingMode, string>> = {
  greedy: "Greedy decoding",
  sampled: "Sampling",
};

/** `point` in words: `demonstrations 64, beta 1`; nothing without a grid. */
export function pointLabel(point: Point): string {
  return Object.entries(point).map(([axis, value]) => `${axis.replaceAll("_", " ")} ${value}`).join(", ");
}

/** The points of the grid at which something ran, in the order of the results. */
export function pointsOf(rows: readonly { readonly point: Point }[]): Point[] {
  return [...new Map(rows.map(({ point }) => [JSON.stringify(point), point])).values()];
}

/** `mean ± std` of a figure, for example `0.811 ± 0.020`. */
export function spreadText({ metric, mean, std }: Pick<Summary, "metric" | "mean" | "std">): string {
  return `${metricText(metric, mean)} ± ${metricText(metric, std).replace(" %", "")}`;
}

function arrow(metric: string): string {
  const { better } = metricInfo(metric);
  return better === undefined ? "" : better === "more" ? " ↑" : " ↓";
}

/** The figures that are best in their metric; none where no direction is better or there is one alone. */
function bestOf(rows: readonly Summary[]): ReadonlySet<Summary> {
  const better = rows[0] && metricInfo(rows[0].metric).better;
  if (better === undefined || rows.length < 2) return new Set();
  const means = rows.map(({ mean }) => mean);
  const best = better === "more" ? Math.max(...means) : Math.min(...means);
  return new Set(rows.filter(({ mean }) => mean === best));
}

function cell(row: Summary | undefined, best: ReadonlySet<Summary>): Html {
  if (row === undefined) {
    return markup`<td></td>`;
  }
  const [mean, std] = spreadText(row).split(" ± ");
  const isBest = best.has(row);
  return markup`<td class="${isBest ? "best" : ""}" title="${counted(row.n, "seed")}">${
    isBest ? markup`<b>${mean}</b>` : mean
  } <small>± ${std}</small></td>`;
}

/** Arms by metrics at one point of the grid. */
function metricsTable(report: ExperimentReport, mode: DecodingMode, point: Point): Html | undefined {
  const here = JSON.stringify(point);
  const rows = report.results.filter((r) => r.mode === mode && JSON.stringify(r.point) === here);
  if (rows.length === 0) return undefined;
  const metrics = inOrder(rows.map((r) => r.metric));
  const best = new Map(
    metrics.map((metric) => [metric, bestOf(rows.filter((r) => r.metric === metric))]),
  );
  const lines = report.arms.filter(({ name }) => rows.some((r) => r.arm === name)).map(({ name, label }) =>
    markup`<tr><th scope="row">${label}</th>${
      metrics.map((metric) =>
        cell(rows.find((r) => r.arm === name && r.metric === metric), best.get(metric)!)
      )
    }</tr>
`
  );
  return table(
    DECODING[mode],
    metrics.map((metric) => `${metricInfo(metric).short}${arrow(metric)}`),
    lines,
  );
}

/** Arms by points of the grid, in the leading metric. */
function gridTable(report: ExperimentReport, mode: DecodingMode, points: readonly Point[]): Html | undefined {
  const rows = report.results.filter((r) => r.mode === mode && r.metric === report.metric);
  if (rows.length === 0) return undefined;
  const at = (point: Point) => rows.filter((r) => JSON.stringify(r.point) === JSON.stringify(point));
  const best = points.map((point) => bestOf(at(point)));
  const lines = report.arms.filter(({ name }) => rows.some((r) => r.arm === name)).map(({ name, label }) =>
    markup`<tr><th scope="row">${label}</th>${
      points.map((point, k) => cell(at(point).find((r) => r.arm === name), best[k]!))
    }</tr>
`
  );
  return table(
    `${metricInfo(report.metric).label}, ${DECODING[mode].toLowerCase()}`,
    points.map(pointLabel),
    lines,
  );
}

function table(title: string, headings: readonly string[], lines: readonly Html[]): Html {
  return markup`<div class="card scroll"><table>
<thead><tr><th>${title}</th>${headings.map((h) => markup`<th scope="col">${h}</th>`)}</tr></thead>
<tbody>${lines}</tbody></table></div>
`;
}

/** The leading metric over each axis of numbers, where that axis is the only one or the others have one value. */
function gridCharts(report: ExperimentReport): Html[] {
  const axes = Object.entries(report.grid);
  const long = axes.filter(([, values]) => values.length > 1);
  const [axis, values] = long.length === 1 ? long[0]! : [undefined, []];
  const isNumeric = values.every((value): value is number => typeof value === "number");
  if (axis === undefined || !isNumeric) return [];
  const numbers = values as readonly number[];
  const scale = numbers.every((v) => v > 0) && Math.max(...numbers) >= 8 * Math.min(...numbers)
    ? "log"
    : "linear";
  const { label, help, percent } = metricInfo(report.metric);
  const factor = percent ? 100 : 1;
  return MODES.flatMap((mode) => {
    const series: BandSeries[] = report.arms.map(({ name, label }, colour) => ({
      name: label,
      colour,
      points: report.results.filter((r) => r.arm === name && r.mode === mode && r.metric === report.metric)
        .map((r) => ({ x: Number(r.point[axis]), y: factor * r.mean, std: factor * r.std }))
        .sort((a, b) => a.x - b.x),
    }));
    return bandChart({
      title: `${label}, ${DECODING[mode].toLowerCase()}`,
      help: `${help} Mean and deviation over seeds. `,
      xLabel: axis.replaceAll("_", " "),
      scale,
      series,
      text: (value) => metricText(report.metric, value / factor),
    }) ?? [];
  });
}

/** The section; nothing before a run is done. */
export function resultsSection(report: ExperimentReport): Html | undefined {
  const points = pointsOf(report.results);
  if (points.length === 0) return undefined;
  const lead = markup`<h2>Results</h2>
<p class="lead">Mean ± standard deviation over seeds of the figures of each run; the best of a column is marked. Rewards of
runs with different rewards are not comparable.</p>
`;
  if (points.length === 1) {
    return markup`${lead}${MODES.map((mode) => metricsTable(report, mode, points[0]!))}`;
  }
  const charts = gridCharts(report);
  return markup`${lead}${charts.length === 0 ? undefined : markup`<div class="charts wide">${charts}</div>`}
${MODES.map((mode) => gridTable(report, mode, points))}
${
    points.map((point) =>
      markup`<details><summary>All metrics at ${pointLabel(point)}</summary>${
        MODES.map((mode) => metricsTable(report, mode, point))
      }</details>
`
    )
  }`;
}

/** `label` of an arm with its point of the grid, for rows and curves that stand for both. */
export function placeLabel(report: ExperimentReport, arm: string, point: Point): string {
  const where = pointLabel(point);
  return where === "" ? armLabel(report, arm) : `${armLabel(report, arm)}, ${where}`;
}
