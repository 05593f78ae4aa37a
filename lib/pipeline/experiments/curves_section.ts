/** The section with learning curves: means over seeds by iteration, with bands. @module */
import type { CurveRow } from "@/lib/data/contracts/curves.ts";
import { ITERATION_CHARTS } from "@/lib/report/curves_section.ts";
import { type Html, markup } from "@/lib/report/html.ts";
import { lineChart, type Series } from "@/lib/report/line_chart.ts";
import { metricInfo } from "@/lib/report/metric_catalogue.ts";
import { spreadOf } from "@/lib/report/spread.ts";
import { armLabel, type ExperimentReport } from "./experiment_report.ts";
import { armLook, pointLabel } from "./results_section.ts";

/** Returns `eval/policy/greedy/score` in its parts; undefined for a metric of the update. */
function evaluationOf(name: string): { readonly mode: string; readonly metric: string } | undefined {
  const [kind, _model, mode, metric] = name.split("/");
  return kind === "eval" && mode !== undefined && metric !== undefined ? { mode, metric } : undefined;
}

function chartsOf(report: ExperimentReport, curves: readonly CurveRow[]): Html[] {
  const evaluated = [...new Set(curves.map(({ metric }) => metric))].filter((name) =>
    [report.metric, "base_nll"].includes(evaluationOf(name)?.metric ?? "")
  );
  return [...evaluated, ...ITERATION_CHARTS, "base_nll"].flatMap((name) => {
    const evaluation = evaluationOf(name);
    const metric = evaluation?.metric ?? name;
    const rows = curves.filter((row) => row.metric === name);
    const series = report.arms.map(({ name: arm }, position): Series => {
      const own = rows.filter((row) => row.arm === arm);
      const iterations = [...new Set(own.map(({ iteration }) => iteration))].sort((a, b) => a - b);
      return {
        name: armLabel(report, arm),
        look: armLook(position),
        points: iterations.map((iteration) => {
          const { mean, std } = spreadOf(own.filter((r) => r.iteration === iteration).map((r) => r.value));
          return { x: iteration + 1, y: mean, std };
        }),
      };
    });
    const title = `${metricInfo(metric).label}${
      evaluation ? `, ${evaluation.mode}, evaluated in the loop` : ""
    }`;
    return lineChart({ metric, title, xLabel: "iteration", series }) ?? [];
  });
}

/** Returns the section; undefined where no loop ran. */
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
<p class="lead">Metrics of the rollouts of an iteration, before the policy is updated on them: mean over seeds, with a band of
one standard deviation. Where a loop ended early, later iterations have fewer seeds.</p>
${charts}`;
}
