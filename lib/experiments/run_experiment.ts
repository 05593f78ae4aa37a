/**
 * The driver of an experiment: prepared runs first, then all others, a few at a time; after each, the tables and the
 * report as far as they are. Stopped at any moment and started again, it goes on with the runs that are not done.
 * @module
 */
import { join } from "node:path";
import type { RunEvent } from "@/lib/contracts/events.ts";
import type { Blueprint } from "@/lib/pipeline/blueprint.ts";
import { tryLock } from "@/lib/pipeline/file_lock.ts";
import { EXIT, TryAgainError } from "@/lib/tensor/errors.ts";
import { collectTables, type FinishedRun } from "./collect.ts";
import type { ExperimentDisplay } from "./experiment_display.ts";
import { type ExperimentSource, preparedReference } from "./experiment_reader.ts";
import { buildExperimentReport, type ExperimentReport } from "./experiment_report.ts";
import { stagesBehind } from "./lineage.ts";
import {
  blueprintOf,
  checkRuns,
  locatedInputs,
  markDone,
  type PlanContext,
  runDirectory,
  runStore,
  stateOf,
} from "./plan_runs.ts";
import type { ExperimentRuns, RunSpec } from "./resolve_runs.ts";
import { type JobEnd, runQueue } from "./run_queue.ts";
import { readRunReport, writeExperiment } from "./write_experiment.ts";

/** How a run of the pipeline ended. */
export interface RunEnd {
  readonly code: number;
  /** what it wrote to its standard error */
  readonly message: string;
}

/** How an experiment goes about it. Nothing of this changes a byte of what its runs write. */
export interface ExperimentOptions {
  readonly context: PlanContext;
  readonly jobs: number;
  /** of all runs together */
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly display: ExperimentDisplay;
  readonly warn: (message: string) => void;
  /** runs the pipeline with these arguments */
  readonly start: (args: readonly string[], listener: (event: RunEvent) => void) => Promise<RunEnd>;
}

/** What came of an experiment. */
export interface ExperimentEnd {
  readonly report: ExperimentReport;
  /** 0, or that of the first run that failed */
  readonly code: number;
}

/** What a run needs that is not done: how many of its stages. Without a number, it waits for a prepared run. */
export interface Outlook {
  readonly run: RunSpec;
  readonly isDone: boolean;
  readonly toRun?: number;
  readonly stages?: number;
}

/** How far every run is; nothing is started. @throws as `checkRuns()` */
export async function outlook(runs: ExperimentRuns, context: PlanContext): Promise<Outlook[]> {
  const plans = await checkRuns(runs, context);
  const states: Outlook[] = [];
  const done = new Set<string>();
  for (const [run, plan] of plans) {
    const waits = Object.values(run.inputs).some((path) => {
      const reference = preparedReference(path);
      return reference !== undefined && !done.has(`prepare/${reference.run}`);
    });
    if (waits) {
      states.push({ run, isDone: false });
      continue;
    }
    const state = await stateOf(run, await located(run, plan, runs, context), context);
    if (state.isDone) done.add(run.name);
    states.push({ run, ...state });
  }
  return states;
}

/** The plan of `run` with prepared inputs in their places. */
async function located(
  run: RunSpec,
  plan: Blueprint,
  { prepared }: ExperimentRuns,
  context: PlanContext,
): Promise<Blueprint> {
  const waits = Object.values(run.inputs).some((path) => preparedReference(path) !== undefined);
  return waits ? await blueprintOf(run, locatedInputs(run, prepared, context), context) : plan;
}

/**
 * Runs `runs` of `source`.
 * @throws {TryAgainError} on a stop, if a run asks to be tried again, or if another process holds the folder
 */
export async function runExperiment(
  source: ExperimentSource,
  runs: ExperimentRuns,
  options: ExperimentOptions,
): Promise<ExperimentEnd> {
  const { context, display } = options;
  const plans = new Map(await checkRuns(runs, context));
  Deno.mkdirSync(context.outDir, { recursive: true });
  using lock = tryLock(join(context.outDir, "experiment.lock"));
  if (lock === undefined) {
    throw new TryAgainError(
      `Cannot use ${context.outDir} as one experiment at a time may hold it: another process does`,
    );
  }
  const done = new Set<RunSpec>();
  const finished = new Map<RunSpec, FinishedRun>();
  const failures: { readonly run: RunSpec; readonly end: RunEnd }[] = [];

  function keep(run: RunSpec): void {
    done.add(run);
    if (run.store === "prepare") return;
    const report = readRunReport(runDirectory(run, context));
    const plan = plans.get(run)!;
    finished.set(run, { run, report, stagesBehind: (model) => stagesBehind(plan, model) });
  }

  async function write(): Promise<ExperimentReport> {
    const tables = collectTables(source.name, runs.cells, finished);
    const report = buildExperimentReport(source, runs, { tables, finished, done });
    await writeExperiment(context.outDir, tables, report);
    return report;
  }

  async function start({ run }: { readonly run: RunSpec }): Promise<JobEnd> {
    display.started(run);
    const inputs = locatedInputs(run, runs.prepared, context);
    const end = await options.start(argumentsOf(run, inputs, options), (event) => display.told(run, event));
    if (end.code === EXIT.ok) {
      if (end.message !== "") options.warn(`${run.name}: ${end.message}`);
      await markDone(run, plans.get(run)!, context);
      keep(run);
      display.finished(run, "done");
      if (run.store !== "prepare") await write();
      return "done";
    }
    // A process that was just starting may not have heard yet that it is to stop politely.
    const how = end.code === EXIT.tryAgain || options.signal.aborted ? "stopped" : "failed";
    display.finished(run, how, end.message);
    failures.push({ run, end });
    return how;
  }

  async function work(part: readonly RunSpec[], { tell = false } = {}): Promise<void> {
    const waiting: RunSpec[] = [];
    for (const run of part) {
      const plan = await located(run, plans.get(run)!, runs, context);
      plans.set(run, plan);
      if ((await stateOf(run, plan, context)).isDone) keep(run);
      else waiting.push(run);
    }
    if (tell) display.began(source.name, part.length, part.length - waiting.length, options.jobs);
    const jobs = waiting.map((run) => ({ run, group: run.store }));
    await runQueue(jobs, { lanes: options.jobs, signal: options.signal, start });
  }

  await work(Object.values(runs.prepared));
  if (failures.length === 0 && !options.signal.aborted) await work(runs.runs, { tell: true });
  const report = await write();
  const stopped = failures.find(({ end }) => end.code === EXIT.tryAgain);
  if (stopped !== undefined || options.signal.aborted) {
    const left = runs.runs.filter((run) => !done.has(run)).length;
    const why = stopped === undefined || options.signal.aborted
      ? ""
      : ` (${stopped.run.name}: ${stopped.end.message})`;
    const message =
      `Stopped${why}: ${left} of ${runs.runs.length} runs are not done; the same command goes on from there`;
    throw new TryAgainError(message);
  }
  return { report, code: failures[0]?.end.code ?? EXIT.ok };
}

/** The command line of `run`. */
function argumentsOf(
  run: RunSpec,
  inputs: Readonly<Record<string, string>>,
  { context, jobs, threads }: ExperimentOptions,
): string[] {
  return [
    run.manifest,
    ...["--run-dir", runDirectory(run, context)],
    ...["--store", runStore(run, context)],
    ...["--seed", String(run.seed)],
    ...["--threads", String(Math.max(1, Math.floor(threads / jobs)))],
    ...run.settings.flatMap((setting) => ["--set", setting]),
    ...Object.entries(inputs).flatMap(([name, path]) => ["--input", `${name}=${path}`]),
  ];
}
