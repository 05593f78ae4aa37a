/** The part of the page that shows how loops went: means over seeds by round, with bands. @module */
import type { CurveRow } from "@/lib/contracts/curves.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { metricInfo, metricText } from "@/lib/report/metric_catalogue.ts";
import { bandChart, type BandSeries } from "./band_chart.ts";
import { armLabel, type ExperimentReport } from "./experiment_report.ts";
import { pointLabel } from "./results_section.ts";
import { spreadOf } from "./statistics.ts";

/** Metrics of rounds that get a chart, in this order; evaluations inside loops come before them. */
const CHARTS = [
  "reward",
  "kl_to_sft",
  "response_length",
  "eos_rate",
  "entropy",
  "explained_variance",
  "base_nll",
];

/** `eval/policy/greedy/score` as its parts; undefined for a metric of the update. */
function evaluationOf(name: string): { readonly mode: string; readonly metric: string } | undefined {
  const [kind, _model, mode, metric] = name.split("/");
  return kind === "eval" && mode !== undefined && metric !== undefined ? { mode, metric } : undefined;
}

function chartsOf(report: ExperimentReport, curves: readonly CurveRow[]): Html[] {
  const evaluated = [...new Set(curves.map(({ metric }) => metric))].filter((name) =>
    [report.metric, "base_nll"].includes(evaluationOf(name)?.metric ?? "")
  );
  return [...evaluated, ...CHARTS].flatMap((name) => {
    const evaluation = evaluationOf(name);
    const { label, help, percent } = metricInfo(evaluation?.metric ?? name);
    const factor = percent ? 100 : 1;
    const rows = curves.filter(({ metric }) => metric === name);
    const series = report.arms.map(({ name: arm }, colour): BandSeries => {
      const own = rows.filter((row) => row.arm === arm);
      const rounds = [...new Set(own.map(({ round }) => round))].sort((a, b) => a - b);
      return {
        name: armLabel(report, arm),
        colour,
        points: rounds.map((round) => {
          const { mean, std } = spreadOf(own.filter((r) => r.round === round).map((r) => r.value));
          return { x: round + 1, y: factor * mean, std: factor * std };
        }),
      };
    });
    return bandChart({
      title: evaluation ? `${label}, ${evaluation.mode}, evaluated inside the loop` : label,
      help: `${help} `,
      xLabel: "round",
      scale: "linear",
      series,
      text: (value) => metricText(evaluation?.metric ?? name, value / factor),
    }) ?? [];
  });
}

/** The section; nothing where no loop ran. */
export function experimentCurves(report: ExperimentReport, curves: readonly CurveRow[]): Html | undefined {
  if (curves.length === 0) return undefined;
  const points = [...new Set(curves.map(({ point }) => point))];
  const charts = points.map((point) => {
    const own = chartsOf(report, curves.filter((row) => row.point === point));
    const grid = markup`<div class="charts">${own}</div>`;
    return points.length === 1
      ? grid
      : markup`<details><summary>At ${pointLabel(JSON.parse(point))}</summary>${grid}<p></p></details>
`;
  });
  return markup`<h2>Learning curves</h2>
<p class="lead">Each point is a mean over seeds of a round's rollouts, before the policy learns from them; bands are one
standard deviation between seeds. A loop that ended early leaves the rounds behind it to the other seeds.</p>
${charts}`;
}
