/** The section with the metrics: arms by metrics, means over seeds; over a grid, the leading metric by point. @module */
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import { bestOf, DECODING, MODES } from "@/lib/report/comparison.ts";
import { counted } from "@/lib/report/format.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { lineChart, type Series } from "@/lib/report/line_chart.ts";
import {
  betterArrow,
  inOrder,
  metricInfo,
  metricSpread,
  metricText,
  shortLabel,
} from "@/lib/report/metric_catalogue.ts";
import { spreadCell } from "@/lib/report/report_page.ts";
import { armLabel, type ExperimentReport } from "./experiment_report.ts";
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";

type Summary = ExperimentReport["results"][number];
type Point = Summary["point"];

/** Number of colours of arms; further arms repeat them. */
const COLOURS = 8;

/** CSS of the arms' colours. */
export const ARM_STYLE = `
:root{--c0:#0b7a6b;--c1:#b4387c;--c2:#2f5fc4;--c3:#b86e00;--c4:#6a4bb8;--c5:#2d8a3e;--c6:#c0392b;--c7:#5b6b7f}
@media (prefers-color-scheme:dark){:root{--c0:#4fd1b5;--c1:#f08bc0;--c2:#86aef5;--c3:#f0b35a;--c4:#b9a2f2;--c5:#7fd18c;--c6:#f5897d;--c7:#a3b1c2}}
${
  Array.from(
    { length: COLOURS },
    (_, k) =>
      `.line.c${k}{stroke:var(--c${k})}.band.c${k},.dot.c${k}{fill:var(--c${k})}.key.c${k}::before{background:var(--c${k})}`,
  ).join("\n")
}
.band{opacity:.13}.charts.wide{grid-template-columns:repeat(auto-fill,minmax(24rem,1fr))}
`;

/** Returns the CSS class of the arm at `position`. */
export function armLook(position: number): string {
  return `c${position % COLOURS}`;
}

/** Returns `point` in words: `demonstrations 64, beta 1`; empty without a grid. */
export function pointLabel(point: Point): string {
  return Object.entries(point).map(([axis, value]) => `${axis.replaceAll("_", " ")} ${value}`).join(", ");
}

/** Returns the label of an arm with its point of the grid. */
export function placeLabel(report: ExperimentReport, arm: string, point: Point): string {
  return [armLabel(report, arm), pointLabel(point)].filter((part) => part !== "").join(", ");
}

/** Returns `0.811 ± 0.020`, mean and deviation over seeds; of one seed the value alone. */
export function spreadText({ metric, mean, std, n }: Pick<Summary, "metric" | "mean" | "std" | "n">): string {
  return n === 1 ? metricText(metric, mean) : metricSpread(metric, mean, std);
}

/** Returns a table whose lines begin with their name. */
export function table(title: string, headings: readonly string[], lines: readonly Html[]): Html {
  return markup`<div class="card scroll"><table>
<thead><tr><th>${title}</th>${headings.map((h) => markup`<th scope="col">${h}</th>`)}</tr></thead>
<tbody>${lines}</tbody></table></div>
`;
}

/** Returns a table of arms by columns; the best of a column is marked. */
function armsTable(
  report: ExperimentReport,
  title: string,
  columns: readonly { readonly heading: string; readonly rows: readonly Summary[] }[],
): Html | undefined {
  const arms = report.arms.filter(({ name }) => columns.some(({ rows }) => rows.some((r) => r.arm === name)));
  if (arms.length === 0) return undefined;
  const best = columns.map(({ rows }) => bestOf(rows));
  const lines = arms.map(({ name, label }) =>
    markup`<tr><th scope="row">${label}</th>${
      columns.map(({ rows }, k) => {
        const row = rows.find((r) => r.arm === name);
        return row === undefined
          ? spreadCell(undefined, false)
          : spreadCell(spreadText(row), best[k]!.has(row), counted(row.n, "seed"));
      })
    }</tr>
`
  );
  return table(title, columns.map(({ heading }) => heading), lines);
}

/** Returns arms by metrics at one point of the grid. */
function metricsTable(report: ExperimentReport, mode: DecodingMode, point: Point): Html | undefined {
  const here = JSON.stringify(point);
  const rows = report.results.filter((r) => r.mode === mode && JSON.stringify(r.point) === here);
  const columns = inOrder(rows.map((r) => r.metric)).map((metric) => ({
    heading: `${shortLabel(metric)}${betterArrow(metric)}`,
    rows: rows.filter((r) => r.metric === metric),
  }));
  return armsTable(report, DECODING[mode], columns);
}

/** Returns arms by points of the grid, in the leading metric. */
function gridTable(report: ExperimentReport, mode: DecodingMode, points: readonly Point[]): Html | undefined {
  const rows = report.results.filter((r) => r.mode === mode && r.metric === report.metric);
  const columns = points.map((point) => ({
    heading: pointLabel(point),
    rows: rows.filter((r) => JSON.stringify(r.point) === JSON.stringify(point)),
  }));
  return armsTable(report, `${metricInfo(report.metric).label}, ${DECODING[mode].toLowerCase()}`, columns);
}

/** Returns charts of the leading metric over the only axis with several values, if these are numbers. */
function gridCharts(report: ExperimentReport): Html[] {
  const long = Object.entries(report.grid).filter(([, values]) => values.length > 1);
  const [axis, values] = long.length === 1 ? long[0]! : [undefined, []];
  const isNumeric = values.every((value): value is number => typeof value === "number");
  if (axis === undefined || !isNumeric) return [];
  const numbers = values as readonly number[];
  const isLog = numbers.every((v) => v > 0) && largest(numbers) >= 8 * smallest(numbers);
  const { metric } = report;
  return MODES.flatMap((mode) => {
    const series = report.arms.map(({ name, label }, position): Series => ({
      name: label,
      look: armLook(position),
      points: report.results.filter((r) => r.arm === name && r.mode === mode && r.metric === metric)
        .map((r) => ({ x: Number(r.point[axis]), y: r.mean, std: r.std }))
        .sort((a, b) => a.x - b.x),
    }));
    return lineChart({
      metric,
      title: `${metricInfo(metric).label}, ${DECODING[mode].toLowerCase()}`,
      note: "Mean and standard deviation over seeds.",
      xLabel: axis.replaceAll("_", " "),
      scale: isLog ? "log" : "linear",
      series,
    }) ?? [];
  });
}

/** Returns the section; undefined before a run is done. */
export function resultsSection(report: ExperimentReport): Html | undefined {
  const points = [...new Map(report.results.map(({ point }) => [JSON.stringify(point), point])).values()];
  if (points.length === 0) return undefined;
  const lead = markup`<h2>Results</h2>
<p class="lead">Mean ± standard deviation over seeds; the best of each column is marked. The metric reward can be compared
only between runs with the same reward.</p>
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
