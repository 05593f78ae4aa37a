/** The part of the page that shows how training went: curves per round, SFT's loss, and all rounds as a table. @module */
import { inOrder, metricInfo, metricText } from "./metric_catalogue.ts";
import { duration, significant } from "./format.ts";
import { type Html, markup } from "./html.ts";
import { lineChart, type Series } from "./line_chart.ts";
import type { Report } from "./report_schema.ts";

/** Metrics that get a chart of their own, in this order. */
const CHARTS = [
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
/** Keys of a round that are not metrics. */
const OWN = new Set(["block", "iteration", "seconds", "cached"]);
/** Metrics that the table of rounds leaves out where there are more; the file has all. */
const MOST_COLUMNS = 14;
const LOOKS = ["main", "second", "faint"] as const;

function roundCharts(report: Report): (Html | undefined)[] {
  const blocks = [...new Set(report.rounds.map((r) => r.block))];
  return CHARTS.map((metric) => {
    const { label, help, percent } = metricInfo(metric);
    const scale = percent ? 100 : 1; // the axis counts in per cent too
    const series: Series[] = blocks.map((block, i) => ({
      name: block,
      look: LOOKS[Math.min(i, 2)]!,
      points: report.rounds.filter((r) => r.block === block && r[metric] !== undefined)
        .map((r) => ({ x: r.iteration + 1, y: scale * r[metric]! })),
    }));
    const text = (value: number) => metricText(metric, value / scale);
    return lineChart({ title: label, help, xLabel: "round", series, text });
  });
}

/** What was evaluated inside loops, by round: a curve for each stage, model and mode of decoding. */
function evaluationCharts({ evaluations }: Report): (Html | undefined)[] {
  const nameOf = (r: Report["evaluations"][number]) => `${r.stage} of ${r.model}, ${r.mode}`;
  const names = [...new Set(evaluations.map(nameOf))];
  return EVALUATED.map((metric) => {
    const { label, help, percent } = metricInfo(metric);
    const scale = percent ? 100 : 1;
    const series: Series[] = names.map((name, i) => ({
      name,
      look: LOOKS[Math.min(i, 2)]!,
      points: evaluations.filter((r) => r.metric === metric && nameOf(r) === name)
        .map((r) => ({ x: r.iteration + 1, y: scale * r.mean })),
    }));
    const text = (value: number) => metricText(metric, value / scale);
    return lineChart({ title: `${label} in evaluation`, help, xLabel: "round", series, text });
  });
}

/** The losses of all supervised runs: single ones stand out, copies within a foreach stay behind them. */
function lossChart(report: Report): Html | undefined {
  const names = [
    ...new Set(report.training.map((r) => r.index === null ? r.stage : `${r.stage}[${r.index}]`)),
  ];
  let single = 0;
  const series: Series[] = names.map((name) => {
    const rows = report.training.filter((r) =>
      (r.index === null ? r.stage : `${r.stage}[${r.index}]`) === name
    );
    const look = rows[0]!.index === null ? LOOKS[Math.min(single++, 1)]! : "faint";
    return { name, look, points: rows.map((r) => ({ x: r.step + 1, y: r.loss })) };
  });
  series.sort((a, b) => LOOKS.indexOf(b.look) - LOOKS.indexOf(a.look)); // what matters is drawn last, on top
  const { help } = metricInfo("loss");
  return lineChart({ title: "SFT loss", help, xLabel: "update", series, text: (v) => metricText("loss", v) });
}

function roundsTable(report: Report): Html | undefined {
  if (report.rounds.length === 0) return undefined;
  const logged = new Set(report.rounds.flatMap((r) => Object.keys(r).filter((key) => !OWN.has(key))));
  const names = [...new Set([...CHARTS.filter((name) => logged.has(name)), ...inOrder(logged)])];
  const shown = names.slice(0, MOST_COLUMNS);
  const blocks = new Set(report.rounds.map((r) => r.block)).size > 1;
  return markup`
    <details>
      <summary>All rounds in numbers</summary>
      <div class="scroll">
        <table>
          <thead>
            <tr><th>Round</th>${
    shown.map((name) => markup`<th scope="col">${metricInfo(name).short}</th>`)
  }<th>Time</th></tr>
          </thead>
          <tbody>
    ${
    report.rounds.map((r) =>
      markup`
        <tr><th scope="row">${blocks ? `${r.block} ` : ""}${r.iteration + 1}</th>${
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

/** The section, or nothing for a run that trained nothing. */
export function curvesSection(report: Report): Html | undefined {
  const charts = [...evaluationCharts(report), ...roundCharts(report), lossChart(report)]
    .filter((chart) => chart !== undefined);
  if (charts.length === 0) return undefined;
  const { policy, continued_sft } = report.updates;
  const fair = policy === null || continued_sft === null
    ? ""
    : ` PPO made ${policy} policy updates; continued SFT got ${continued_sft}.`;
  const best = report.best.map(({ block, iteration, metric, value }) =>
    ` The best round of ${block} is ${iteration + 1}: ${metric} is ${significant(value)}.`
  );
  return markup`
    <h2>Training</h2>
    <p class="lead">Each point of a round is a mean over its rollouts, before the policy learns from them.${fair}${best}</p>
    <div class="charts">${charts}</div>
    ${roundsTable(report)}
  `;
}
