/**
 * The content of results.json, version 1, built from the tables. The page and the terminal show the same numbers.
 * docs/experiments.md explains it.
 * @module
 */
import { z } from "zod";
import { displayName } from "@/lib/report/format.ts";
import { EnvironmentSchema, SampleSchema } from "@/lib/report/report_schema.ts";
import { costsOf, type Difference, differencesTo, summaries } from "./analysis.ts";
import type { FinishedRun, Tables } from "./collect.ts";
import { controlsOf, type ExperimentSource } from "./experiment_reader.ts";
import type { Cell, ExperimentRuns, RunSpec } from "./resolve_runs.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

const count = z.int().nonnegative();
const point = z.record(z.string(), z.union([z.number(), z.string()])).describe(
  "values on the axes of the grid; empty without a grid",
);
const mode = z.enum(["greedy", "sampled"]);
const interval = z.tuple([z.number(), z.number()]).nullable().describe("95 % confidence; null for one seed");
const probability = z.number().min(0).max(1).nullable();

const ArmRow = z.strictObject({
  name: z.string(),
  label: z.string(),
  model: z.string(),
  manifest: z.string(),
  base: z.boolean().describe("the model is the base of its evaluation; plots leave it out"),
});

const SummaryRow = z.strictObject({
  arm: z.string(),
  point,
  mode,
  metric: z.string(),
  mean: z.number().describe("over seeds"),
  std: z.number().nonnegative().describe("between seeds, with n − 1 in the variance"),
  n: count.describe("seeds"),
});

const DifferenceRow = z.strictObject({
  arm: z.string(),
  against: z.string().describe("the control"),
  point,
  mode,
  metric: z.string(),
  mean: z.number().describe("mean of arm minus control, paired by seed"),
  std: z.number().nonnegative().describe("of the differences, with n − 1 in the variance"),
  n: count.describe("seeds that both have"),
  interval: interval.describe("mean ± t(0.975, n − 1) std/√n; null for one seed"),
  bootstrap: interval.describe("percentile bootstrap, too narrow for few seeds; null for one seed"),
  p: probability.describe("paired t test, two-sided; null for one seed"),
  adjusted_p: probability.describe(
    "Holm's adjustment over all arms and points of this control, mode and metric",
  ),
  above: count.describe("seeds whose difference is above 0"),
});

const CostRow = z.strictObject({
  arm: z.string(),
  point,
  n: count.describe("seeds"),
  seconds: z.number().nonnegative().describe("mean wall seconds of all stages that made the model"),
  seconds_std: z.number().nonnegative(),
  work: z.record(z.string(), z.strictObject({ seconds: z.number(), tokens: z.number() })).describe(
    "means by stage id: wall seconds, and tokens processed",
  ),
});

const RunRow = z.strictObject({
  name: z.string().describe("path below runs/, or prepare/"),
  manifest: z.string(),
  seed: count,
  settings: z.array(z.string()),
  inputs: z.record(z.string(), z.string()).describe("names of the files, models or prepared outputs"),
  done: z.boolean(),
});

/** results.json. */
export const ExperimentReportSchema = z.strictObject({
  version: z.literal(1),
  experiment: z.string(),
  description: z.string(),
  metric: z.string().describe("leading metric: of differences and charts"),
  controls: z.array(z.string()),
  grid: z.record(z.string(), z.array(z.union([z.number(), z.string()]))).describe("axes and their values"),
  seeds: z.array(count).describe("seeds of all runs that are done"),
  arms: z.array(ArmRow),
  results: z.array(SummaryRow),
  differences: z.array(DifferenceRow),
  costs: z.array(CostRow),
  runs: z.array(RunRow),
  samples_of: z.strictObject({ seed: count, point }).nullable(),
  samples: z.array(SampleSchema.omit({ model: true }).extend({ arm: z.string() })).describe(
    "responses of all arms to the first evaluation prompts",
  ),
  environment: EnvironmentSchema.nullable(),
});

/** The report of an experiment. */
export type ExperimentReport = z.output<typeof ExperimentReportSchema>;

/** Returns the label of an arm. */
export function armLabel(report: Pick<ExperimentReport, "arms">, arm: string): string {
  return report.arms.find(({ name }) => name === arm)?.label ?? arm;
}

/** Tables and runs of an experiment so far. */
export interface ExperimentState {
  readonly tables: Tables;
  /** finished runs of the arms */
  readonly finished: ReadonlyMap<RunSpec, FinishedRun>;
  /** these, and the prepared runs that are done */
  readonly done: ReadonlySet<RunSpec>;
}

/** Returns the report. */
export function buildExperimentReport(
  { name, experiment }: Pick<ExperimentSource, "name" | "experiment">,
  { prepared, runs, cells }: ExperimentRuns,
  { tables, finished, done: all }: ExperimentState,
): ExperimentReport {
  const done = [...finished.values()];
  const controls = controlsOf(experiment);
  const isBase = ({ model, run }: Cell) =>
    finished.get(run)?.report.models.some(({ name, base }) => base && name === model) ?? false;
  return {
    version: 1,
    experiment: name,
    description: experiment.description ?? "",
    metric: experiment.metric,
    controls: [...controls],
    grid: Object.fromEntries(
      Object.entries(experiment.grid).map(([axis, points]) => [axis, points.map(({ value }) => value)]),
    ),
    seeds: [...new Set(done.map(({ run }) => run.seed))].sort((a, b) => a - b),
    arms: Object.entries(experiment.arms).map(([name, arm]) => ({
      name,
      label: arm.label ?? displayName(name),
      model: cells.find((cell) => cell.arm === name)?.model ?? arm.model ?? name,
      manifest: arm.manifest ?? experiment.manifest!,
      base: cells.some((cell) => cell.arm === name && isBase(cell)),
    })),
    results: summaries(tables.results).map((row) => ({ ...row, point: JSON.parse(row.point) })),
    differences: differencesTo(tables.results, controls).map(differenceRow),
    costs: costsOf(tables.costs).map(({ arm, point, n, seconds, work }) => ({
      arm,
      point: JSON.parse(point),
      n,
      seconds: seconds.mean,
      seconds_std: seconds.std,
      work: { ...work },
    })),
    runs: [...Object.values(prepared), ...runs].map((run) => ({
      name: run.name,
      manifest: run.manifest,
      seed: run.seed,
      settings: [...run.settings],
      inputs: Object.fromEntries(Object.entries(run.inputs).map(([key, path]) => [key, shortName(path)])),
      done: all.has(run),
    })),
    ...samplesOf(cells, finished),
    environment: done[0]?.report.environment ?? null,
  };
}

function differenceRow(
  { point, interval, bootstrap, adjustedP: adjusted_p, ...rest }: Difference,
): ExperimentReport["differences"][number] {
  const ends = (interval: Difference["interval"]) => interval && ([...interval] as [number, number]);
  return {
    ...rest,
    point: JSON.parse(point),
    interval: ends(interval),
    bootstrap: ends(bootstrap),
    adjusted_p,
  };
}

/** Returns a path without its directories, which differ between machines. */
function shortName(path: string): string {
  return path.startsWith("hf:") ? path : path.slice(path.lastIndexOf("/") + 1);
}

/** Returns responses of one seed at one point of the grid: the last point that most arms have, and its first seed. */
function samplesOf(
  cells: readonly Cell[],
  finished: ReadonlyMap<RunSpec, FinishedRun>,
): Pick<ExperimentReport, "samples_of" | "samples"> {
  const groups = [
    ...Map.groupBy(
      cells.filter(({ run }) => finished.has(run)),
      ({ point, run }) => JSON.stringify([point, run.seed]),
    ).values(),
  ];
  const most = largest(groups.map((group) => group.length), 0);
  const last = groups.findLast((group) => group.length === most);
  const chosen = last &&
    groups.find((group) =>
      group.length === most && JSON.stringify(group[0]!.point) === JSON.stringify(last[0]!.point)
    );
  if (chosen === undefined) return { samples_of: null, samples: [] };
  const samples = chosen.flatMap(({ arm, model, run }) =>
    finished.get(run)!.report.samples.filter((sample) => sample.model === model).map(
      ({ model: _, ...sample }) => ({ arm, ...sample }),
    )
  );
  return { samples_of: { seed: chosen[0]!.run.seed, point: { ...chosen[0]!.point } }, samples };
}
