/** The section with training curves: metrics per iteration, training loss, and all iterations as a table. @module */
import { displayName, duration, significant } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { lineChart, type Series } from "./line_chart.ts";
import { inOrder, metricInfo, metricText, trainingLabel } from "./metric_catalogue.ts";
import type { Report } from "./report_schema.ts";
import { labelOf } from "./run_tracker.ts";
import { rateText } from "./training_text.ts";

/** Metrics of iterations that get a chart, in this order. */
export const ITERATION_CHARTS = [
  "reward",
  "kl_to_sft",
  "response_length",
  "eos_rate",
  "entropy",
  "explained_variance",
  "clip_fraction",
];
/** Metrics of evaluations inside loops that get a chart, in this order. */
const EVALUATED = ["score", "validation_nll", "reward", "kl_to_sft", "base_nll", "response_length"];
/** Keys of an iteration that are not metrics. */
export const NOT_METRICS: ReadonlySet<string> = new Set(["block", "iteration", "seconds", "cached"]);
/** Columns of the table of iterations; report.json has all metrics. */
const MOST_COLUMNS = 14;
const LOOKS = ["main", "second", "faint"];

function lookOf(position: number): string {
  return LOOKS[Math.min(position, 2)]!;
}

function iterationCharts({ iterations }: Report): (Html | undefined)[] {
  const blocks = [...new Set(iterations.map((r) => r.block))];
  return ITERATION_CHARTS.map((metric) => {
    const series = blocks.map((block, i): Series => ({
      name: displayName(block),
      look: lookOf(i),
      points: iterations.filter((r) => r.block === block && r[metric] !== undefined)
        .map((r) => ({ x: r.iteration + 1, y: r[metric]! })),
    }));
    return lineChart({ metric, xLabel: "iteration", series });
  });
}

/** Returns evaluations inside loops: a curve for each stage, model and decoding mode. */
function evaluationCharts({ evaluations }: Report): (Html | undefined)[] {
  const nameOf = (r: Report["evaluations"][number]) => `${r.stage} of ${r.model}, ${r.mode}`;
  const names = [...new Set(evaluations.map(nameOf))];
  return EVALUATED.map((metric) => {
    const series = names.map((name, i): Series => ({
      name,
      look: lookOf(i),
      points: evaluations.filter((r) => r.metric === metric && nameOf(r) === name)
        .map((r) => ({ x: r.iteration + 1, y: r.mean })),
    }));
    return lineChart({
      metric,
      title: `${metricInfo(metric).label} in evaluation`,
      xLabel: "iteration",
      series,
    });
  });
}

/** Returns a curve for each training stage: single ones stand out, copies within a foreach are faint. */
function seriesOf(rows: Report["training"] | Report["validation"], firstUpdate: number): Series[] {
  let single = 0;
  const series = [...new Set(rows.map(labelOf))].map((name): Series => {
    const own = rows.filter((r) => labelOf(r) === name);
    const look = own[0]!.index === null ? lookOf(Math.min(single++, 1)) : "faint";
    return { name, look, points: own.map((r) => ({ x: r.step + firstUpdate, y: r.loss })) };
  });
  return series.sort((a, b) => LOOKS.indexOf(b.look) - LOOKS.indexOf(a.look)); // the most important one on top
}

/** Returns the training losses of all stages, and the validation losses of those that computed several. */
function lossCharts({ training, validation }: Report): (Html | undefined)[] {
  const series = seriesOf(validation, 0).filter(({ points }) => points.length > 1);
  const best = validation.filter((row) => row.best).map((row) =>
    `${labelOf(row)} uses the weights after update ${row.step}.`
  );
  return [
    lineChart({ metric: "loss", title: "Training loss", xLabel: "update", series: seriesOf(training, 1) }),
    lineChart({ metric: "validation_loss", xLabel: "update", series, note: best.join(" ") }),
  ];
}

/** Returns the trials of learning rates as a table; undefined without any. */
function learningRatesTable({ learning_rates: rows }: Report): Html | undefined {
  if (rows.length === 0) return undefined;
  return markup`
    <details open>
      <summary>Learning rates that were tried</summary>
      <table>
        <thead>
          <tr><th>Stage</th><th scope="col">Learning rate</th><th scope="col">Validation loss</th></tr>
        </thead>
        <tbody>
    ${
    rows.map((row) =>
      markup`
        <tr><th scope="row">${labelOf(row)}</th><td>${rateText(row.lr)}${
        row.chosen ? " (chosen)" : ""
      }</td><td>${row.loss === null ? "diverged" : metricText("validation_loss", row.loss)}</td></tr>
      `
    )
  }</tbody>
      </table>
    </details>
  `;
}

function iterationsTable({ iterations }: Report): Html | undefined {
  if (iterations.length === 0) return undefined;
  const logged = new Set(iterations.flatMap((r) => Object.keys(r).filter((key) => !NOT_METRICS.has(key))));
  const names = [...new Set([...ITERATION_CHARTS.filter((name) => logged.has(name)), ...inOrder(logged)])];
  const shown = names.slice(0, MOST_COLUMNS);
  const blocks = new Set(iterations.map((r) => r.block)).size > 1;
  return markup`
    <details>
      <summary>Metrics of all iterations</summary>
      <div class="scroll">
        <table>
          <thead>
            <tr><th>Iteration</th>${
    shown.map((name) => markup`<th scope="col">${trainingLabel(name)}</th>`)
  }<th>Time</th></tr>
          </thead>
          <tbody>
    ${
    iterations.map((r) =>
      markup`
        <tr><th scope="row">${blocks ? `${displayName(r.block)} ` : ""}${r.iteration + 1}</th>${
        shown.map((name) => markup`<td>${metricText(name, r[name])}</td>`)
      }<td>${duration(r.seconds)}</td></tr>
      `
    )
  }</tbody>
        </table>
      </div>
    </details>
  `;
}

/** Returns the section; undefined for a run without training. */
export function curvesSection(report: Report): Html | undefined {
  const charts = [...evaluationCharts(report), ...iterationCharts(report), ...lossCharts(report)]
    .filter((chart) => chart !== undefined);
  if (charts.length === 0) return undefined;
  const best = report.best.map(({ block, iteration, metric, value }) =>
    ` The best ${displayName(block)} iteration is ${iteration + 1} (${metric} = ${significant(value)}).`
  );
  return markup`
    <h2>Training</h2>
    <p class="lead">Metrics of an iteration are means over its rollouts, before the policy is updated on them.${best}</p>
    <div class="charts">${charts}</div>
    ${learningRatesTable(report)}${iterationsTable(report)}
  `;
}
