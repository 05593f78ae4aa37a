/**
 * From the reports of finished runs to the experiment's tables: what every arm scored, how its loop went, what it cost.
 * @module
 */
import type { CurveRow } from "@/lib/contracts/curves.ts";
import type { ResultRow } from "@/lib/contracts/results.ts";
import { modelsOf, subjectOf } from "@/lib/report/comparison.ts";
import type { Report } from "@/lib/report/report_schema.ts";
import type { Cell, GridPoint, RunSpec } from "./resolve_runs.ts";

/** A finished run, as far as the tables need it. */
export interface FinishedRun {
  readonly run: RunSpec;
  readonly report: Report;
  /** paths of the stages behind a model, in the plan's order */
  readonly stagesBehind: (model: string) => ReadonlySet<string>;
}

/** Work of one kind of stage that an arm's model took. */
export interface Work {
  readonly seconds: number;
  /** tokens that the stages worked on, where they told */
  readonly tokens: number;
}

/** What one model of one run cost, whenever its stages ran: shared ones count for every arm that stands on them. */
export interface CostRow {
  readonly arm: string;
  readonly point: string;
  readonly seed: number;
  /** by stage id, in the plan's order */
  readonly work: Readonly<Record<string, Work>>;
}

/** The tables of an experiment. */
export interface Tables {
  readonly results: readonly ResultRow[];
  readonly curves: readonly CurveRow[];
  readonly costs: readonly CostRow[];
}

/** A point of the grid as text: JSON with the axes in the experiment's order. */
export function pointText(point: GridPoint): string {
  return JSON.stringify(point);
}

/** The tables of all cells whose run is finished, in the order of the cells. */
export function collectTables(
  experiment: string,
  cells: readonly Cell[],
  finished: ReadonlyMap<RunSpec, FinishedRun>,
): Tables {
  const results: ResultRow[] = [];
  const curves: CurveRow[] = [];
  const costs: CostRow[] = [];
  const told = new Set<RunSpec>();
  const leading = leadingCells(cells, finished);
  for (const cell of cells) {
    const own = finished.get(cell.run);
    if (own === undefined) continue;
    const { arm, model } = cell;
    const place = { experiment, arm, point: pointText(cell.point), seed: cell.run.seed };
    for (const { mode, metric, mean, stderr, n, ...row } of own.report.comparison) {
      if (row.model === model) results.push({ ...place, model, mode, metric, mean, stderr, n });
    }
    if (leading.get(cell.run) === cell && !told.has(cell.run)) {
      told.add(cell.run);
      curves.push(...curvesOf(own.report).map((row) => ({ ...place, ...row })));
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

/** Of every run, the cell that it is about: its loop is that cell's. */
function leadingCells(
  cells: readonly Cell[],
  finished: ReadonlyMap<RunSpec, FinishedRun>,
): ReadonlyMap<RunSpec, Cell> {
  const leading = new Map<RunSpec, Cell>();
  for (const [run, { report }] of finished) {
    const subject = subjectOf(modelsOf(report.comparison));
    const cell = cells.find((c) => c.run === run && c.model === subject);
    if (cell !== undefined) leading.set(run, cell);
  }
  return leading;
}

/** Keys of a round that are no metrics of it. */
const NO_METRICS = new Set(["block", "iteration", "seconds", "cached", "tokens_per_second"]);

type Curve = Pick<CurveRow, "block" | "round" | "metric" | "value">;

function curvesOf(report: Report): Curve[] {
  const rounds = report.rounds.flatMap(({ block, iteration, ...values }) =>
    Object.entries(values).flatMap(([metric, value]): Curve[] =>
      NO_METRICS.has(metric) || typeof value !== "number" ? [] : [{ block, round: iteration, metric, value }]
    )
  );
  const evaluations = report.evaluations.map((row): Curve => ({
    block: row.stage.slice(0, row.stage.indexOf(".")),
    round: row.iteration,
    metric: `eval/${row.model}/${row.mode}/${row.metric}`,
    value: row.mean,
  }));
  return [...rounds, ...evaluations];
}

function workOf(report: Report, stages: ReadonlySet<string>): Record<string, Work> {
  const work: Record<string, Work> = {};
  for (const path of stages) {
    for (const { uses, seconds, tokens } of report.timings.filter(({ stage }) => stage === path)) {
      const sum = work[uses] ?? { seconds: 0, tokens: 0 };
      work[uses] = { seconds: sum.seconds + seconds, tokens: sum.tokens + (tokens ?? 0) };
    }
  }
  return work;
}
