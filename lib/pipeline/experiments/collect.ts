/** From the reports of finished runs to the experiment's tables: metrics, learning curves and costs of every arm. @module */
import type { CurveRow } from "@/lib/data/contracts/curves.ts";
import type { ResultRow } from "@/lib/data/contracts/results.ts";
import { NOT_METRICS } from "@/lib/report/curves_section.ts";
import type { Report } from "@/lib/report/report_schema.ts";
import type { Cell, RunSpec } from "./resolve_runs.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** A finished run. */
export interface FinishedRun {
  readonly run: RunSpec;
  readonly report: Report;
  /** paths of the stages that made a model, in the plan's order */
  readonly stagesBehind: (model: string) => ReadonlySet<string>;
}

/** Work of one kind of stage for an arm's model. */
export interface StageWork {
  readonly seconds: number;
  /** tokens processed, as far as the stages report them */
  readonly tokens: number;
}

/** Cost of one model of one run, whenever its stages ran: shared stages count for every arm that needs them. */
export interface CostRow {
  readonly arm: string;
  readonly point: string;
  readonly seed: number;
  /** by stage id, in the plan's order */
  readonly work: Readonly<Record<string, StageWork>>;
}

/** The tables of an experiment. */
export interface Tables {
  readonly results: readonly ResultRow[];
  readonly curves: readonly CurveRow[];
  readonly costs: readonly CostRow[];
}

/** Returns the tables of all cells whose run is finished, in the order of the cells. */
export function collectTables(
  experiment: string,
  cells: readonly Cell[],
  finished: ReadonlyMap<RunSpec, FinishedRun>,
): Tables {
  const results: ResultRow[] = [];
  const curves: CurveRow[] = [];
  const costs: CostRow[] = [];
  for (const cell of cells) {
    const own = finished.get(cell.run);
    if (own === undefined) continue;
    const { arm, model } = cell;
    const place = { experiment, arm, point: JSON.stringify(cell.point), seed: cell.run.seed };
    for (const { mode, metric, mean, stderr, n, ...row } of own.report.comparison) {
      if (row.model === model) results.push({ ...place, model, mode, metric, mean, stderr, n });
    }
    // A run's loop belongs to the first arm of its last model.
    const last = own.report.models.at(-1)?.name;
    if (cell === cells.find((c) => c.run === cell.run && c.model === last)) {
      append(curves, curvesOf(own.report).map((row) => ({ ...place, ...row })));
    }
    costs.push({
      arm,
      point: place.point,
      seed: place.seed,
      work: workOf(own.report, own.stagesBehind(model)),
    });
  }
  return { results, curves, costs };
}

type Curve = Pick<CurveRow, "block" | "iteration" | "metric" | "value">;

function curvesOf(report: Report): Curve[] {
  const iterations = report.iterations.flatMap(({ block, iteration, ...values }) =>
    Object.entries(values).flatMap(([metric, value]): Curve[] =>
      NOT_METRICS.has(metric) || metric === "tokens_per_second" || typeof value !== "number"
        ? []
        : [{ block, iteration, metric, value }]
    )
  );
  const evaluations = report.evaluations.map((row): Curve => ({
    block: row.stage.slice(0, row.stage.indexOf(".")),
    iteration: row.iteration,
    metric: `eval/${row.model}/${row.mode}/${row.metric}`,
    value: row.mean,
  }));
  return [...iterations, ...evaluations];
}

function workOf(report: Report, stages: ReadonlySet<string>): Record<string, StageWork> {
  const work: Record<string, StageWork> = {};
  for (const path of stages) {
    for (const { uses, seconds, tokens } of report.timings.filter(({ stage }) => stage === path)) {
      const sum = work[uses] ?? { seconds: 0, tokens: 0 };
      work[uses] = { seconds: sum.seconds + seconds, tokens: sum.tokens + (tokens ?? 0) };
    }
  }
  return work;
}
