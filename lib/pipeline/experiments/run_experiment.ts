/**
 * Runs an experiment: prepared runs first, then all others, a few at a time; after each, tables and report are written.
 * An interrupted experiment resumes with the runs that are not done.
 * @module
 */
import { join } from "node:path";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import type { Blueprint } from "@/lib/pipeline/engine/blueprint.ts";
import { tryLock } from "@/lib/pipeline/engine/file_lock.ts";
import { EXIT, TryAgainError } from "@/lib/compute/tensor/errors.ts";
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
  /** its standard error */
  readonly message: string;
}

/** How an experiment runs. No option changes a byte of its results. */
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

/** The result of an experiment. */
export interface ExperimentEnd {
  readonly report: ExperimentReport;
  /** 0, or that of the first run that failed */
  readonly code: number;
}

/** Progress of a run: how many of its stages would run. Without a number, it depends on a run under prepare that is not done. */
export interface Outlook {
  readonly run: RunSpec;
  readonly isDone: boolean;
  readonly toRun?: number;
  readonly stages?: number;
}

/** Returns the names of the prepared runs whose outputs `run` reads. */
function requiredRuns({ inputs }: RunSpec): string[] {
  return Object.values(inputs).flatMap((path) => {
    const reference = preparedReference(path);
    return reference === undefined ? [] : [`prepare/${reference.run}`];
  });
}

/** Returns the progress of every run; nothing is started. @throws as `checkRuns()` */
export async function outlook(runs: ExperimentRuns, context: PlanContext): Promise<Outlook[]> {
  const plans = await checkRuns(runs, context);
  const states: Outlook[] = [];
  const done = new Set<string>();
  for (const [run, plan] of plans) {
    if (requiredRuns(run).some((name) => !done.has(name))) {
      states.push({ run, isDone: false });
      continue;
    }
    const state = await stateOf(run, await located(run, plan, runs, context), context);
    if (state.isDone) done.add(run.name);
    states.push({ run, ...state });
  }
  return states;
}

/** Returns the plan of `run` with the paths of prepared inputs. */
async function located(
  run: RunSpec,
  plan: Blueprint,
  { prepared }: ExperimentRuns,
  context: PlanContext,
): Promise<Blueprint> {
  if (requiredRuns(run).length === 0) return plan;
  return await blueprintOf(run, locatedInputs(run, prepared, context), context);
}

/** The state of a running experiment. */
class Experiment {
  readonly done = new Set<RunSpec>();
  readonly failures: { readonly run: RunSpec; readonly end: RunEnd }[] = [];
  readonly #finished = new Map<RunSpec, FinishedRun>();
  readonly #plans: Map<RunSpec, Blueprint>;

  constructor(
    readonly source: ExperimentSource,
    readonly runs: ExperimentRuns,
    readonly options: ExperimentOptions,
    plans: ReadonlyMap<RunSpec, Blueprint>,
  ) {
    this.#plans = new Map(plans);
  }

  /** Runs those of `part` that are not done. */
  async work(part: readonly RunSpec[], { isMain }: { readonly isMain: boolean }): Promise<void> {
    const { context, display, jobs, signal } = this.options;
    const waiting: RunSpec[] = [];
    for (const run of part) {
      const plan = await located(run, this.#plans.get(run)!, this.runs, context);
      this.#plans.set(run, plan);
      if ((await stateOf(run, plan, context)).isDone) this.#keep(run);
      else waiting.push(run);
    }
    if (isMain) display.begin(this.source.name, part.length, part.length - waiting.length, jobs);
    const queue = waiting.map((run) => ({ run, group: run.store }));
    await runQueue(queue, { lanes: jobs, signal, start: ({ run }) => this.#start(run) });
  }

  /** Writes tables and report of the runs that are done. */
  async write(): Promise<ExperimentReport> {
    const { source, runs, done } = this;
    const finished = this.#finished;
    const tables = collectTables(source.name, runs.cells, finished);
    const report = buildExperimentReport(source, runs, { tables, finished, done });
    await writeExperiment(this.options.context.outDir, tables, report);
    return report;
  }

  async #start(run: RunSpec): Promise<JobEnd> {
    const { context, display, signal, start, warn } = this.options;
    display.started(run);
    const inputs = locatedInputs(run, this.runs.prepared, context);
    const args = argumentsOf(run, inputs, this.options);
    const end = await start(args, (event) => display.progress(run, event));
    if (end.code !== EXIT.ok) {
      // A process that was just starting may not have received the signal to stop yet.
      const how = end.code === EXIT.tryAgain || signal.aborted ? "stopped" : "failed";
      display.finished(run, how, end.message);
      this.failures.push({ run, end });
      return how;
    }
    if (end.message !== "") warn(`${run.name}: ${end.message}`);
    await markDone(run, this.#plans.get(run)!, context);
    this.#keep(run);
    display.finished(run, "done");
    if (run.store !== "prepare") await this.write();
    return "done";
  }

  #keep(run: RunSpec): void {
    this.done.add(run);
    if (run.store === "prepare") return;
    const report = readRunReport(runDirectory(run, this.options.context));
    const plan = this.#plans.get(run)!;
    this.#finished.set(run, { run, report, stagesBehind: (model) => stagesBehind(plan, model) });
  }
}

/**
 * Runs `runs` of `source`.
 * @throws {TryAgainError} on a stop, if a run ends with exit code 75, or if another process uses the directory
 */
export async function runExperiment(
  source: ExperimentSource,
  runs: ExperimentRuns,
  options: ExperimentOptions,
): Promise<ExperimentEnd> {
  const { context: { outDir }, signal } = options;
  const experiment = new Experiment(source, runs, options, await checkRuns(runs, options.context));
  Deno.mkdirSync(outDir, { recursive: true });
  using lock = tryLock(join(outDir, "experiment.lock"));
  if (lock === undefined) throw new TryAgainError(`${outDir} is in use by another experiment`);
  const { done, failures } = experiment;
  await experiment.work(Object.values(runs.prepared), { isMain: false });
  if (failures.length === 0 && !signal.aborted) await experiment.work(runs.runs, { isMain: true });
  const report = await experiment.write();
  const stopped = failures.find(({ end }) => end.code === EXIT.tryAgain);
  if (stopped !== undefined || signal.aborted) {
    const left = runs.runs.filter((run) => !done.has(run)).length;
    const why = stopped === undefined || signal.aborted
      ? ""
      : ` (${stopped.run.name}: ${stopped.end.message})`;
    throw new TryAgainError(
      `Interrupted${why}: ${left} of ${runs.runs.length} runs are not done. Run the same command to resume`,
    );
  }
  return { report, code: failures[0]?.end.code ?? EXIT.ok };
}

/** Returns the command line of `run`. */
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
