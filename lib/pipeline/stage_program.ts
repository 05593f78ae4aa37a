/**
 * A stage as a program: `deno run stages/x/main.ts --in.tokens … --out.policy … --lr 1e-3`, or `--task FILE` as the worker
 * of a pipeline. The exit code says what happened; nothing half-written is left behind.
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import type { Stage, StageProgress } from "@/lib/contracts/stage.ts";
import { diskError, writeError } from "@/lib/files/file_errors.ts";
import { fileSet, resolvePattern, shownPath, whatIsMissing } from "@/lib/files/file_pattern.ts";
import { printOut } from "@/lib/files/standard_output.ts";
import { DataError, exitCodeOf, TryAgainError, UsageError } from "@/lib/tensor/errors.ts";
import { waitForLock } from "./file_lock.ts";
import { contractsOf } from "./ports.ts";
import { readStageFlags, type StageFlags } from "./stage_flags.ts";
import { stageHelp } from "./stage_help.ts";
import { runTask, type Task, taskSchema } from "./task.ts";
import { workerChannel } from "./worker_channel.ts";

/** How a stage program is started, for tests and for the command that wraps it. */
export interface ProgramOptions {
  readonly args?: readonly string[];
  /** what the help calls the program */
  readonly command?: string;
  /** where relative paths start; default: the current folder */
  readonly workingDirectory?: string;
}

/** Runs the program of `stage` and ends the process with its exit code. */
export async function runStageProgram(stage: Stage, options: ProgramOptions = {}): Promise<never> {
  const args = options.args ?? Deno.args;
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGUSR1"] as const) {
    if (Deno.build.os === "windows" && signal !== "SIGINT") continue;
    Deno.addSignalListener(signal, () => stop.abort());
  }
  try {
    const flags = readStageFlags(stage, args);
    if (flags.help) {
      printOut(stageHelp(stage, options.command ?? `deno run ${stage.id}/main.ts`));
    } else if (flags.task !== undefined) Deno.exit(await runAsWorker(stage, flags.task, stop));
    else {await runFromFlags(stage, flags, {
        signal: stop.signal,
        home: options.workingDirectory ?? Deno.cwd(),
      });}
  } catch (error) {
    console.error(
      args.includes("--verbose") ? error : error instanceof Error ? error.message : String(error),
    );
    Deno.exit(exitCodeOf(error));
  }
  Deno.exit(0);
}

async function runFromFlags(
  stage: Stage,
  flags: StageFlags,
  { signal, home: start }: { readonly signal: AbortSignal; readonly home: string },
): Promise<void> {
  const at = (path: string) => resolve(start, path);
  const inputs = Object.fromEntries(
    Object.entries(flags.inputs).map((
      [port, paths],
    ) => [port, absolute(paths, (path) => resolvePattern(at(path)))]),
  );
  checkThere(stage, inputs);
  const wanted = Object.fromEntries(
    Object.entries(flags.outputs).map(([port, path]) => [port, at(path)]),
  );
  // Outputs are made beside their places and renamed at the end. An output that nobody asked for is made and dropped.
  const home = Object.values(wanted)[0] === undefined ? at(".") : dirname(Object.values(wanted)[0]!);
  const id = crypto.randomUUID().slice(0, 8);
  const dropped = join(home, `.${stage.id}.${id}.partial`);
  const temporary = Object.fromEntries(
    Object.keys(stage.outputs).map((port) => {
      const path = wanted[port];
      return [port, path === undefined ? join(dropped, port) : join(dirname(path), `.${port}.${id}.partial`)];
    }),
  );
  const scratch = flags.scratch === undefined ? join(dropped, "scratch") : at(flags.scratch);
  try {
    try {
      await Deno.mkdir(dropped, { recursive: true });
      await Deno.mkdir(scratch, { recursive: true });
      for (const path of Object.values(wanted)) await Deno.mkdir(dirname(path), { recursive: true });
    } catch (cause) {
      throw writeError(home, cause);
    }
    const params = { ...flags.params };
    const task: Task = {
      version: 1,
      stage: stage.id,
      params,
      inputs,
      outputs: temporary,
      seed: stage.random ? flags.seed : 0,
      iteration: stage.random ? flags.iteration : 0,
      threads: flags.threads,
      scratch,
    };
    await runTask(stage, task, { signal, progress: (p) => flags.verbose && console.error(progressLine(p)) });
    for (const [port, path] of Object.entries(wanted)) await publish(temporary[port]!, path);
  } catch (cause) {
    throw withOwnPlaces(diskError(home, cause), temporary, wanted);
  } finally {
    for (const path of [...Object.values(temporary), dropped]) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
}

/** `error` with the places that the caller named instead of those beside them where outputs are made. */
function withOwnPlaces(
  error: unknown,
  temporary: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): unknown {
  if (!(error instanceof Error)) return error;
  for (const [port, path] of Object.entries(wanted)) {
    const made = temporary[port]!;
    // A file that is to appear whole is made beside its place once more.
    const beside = `${RegExp.escape(join(dirname(made), `.${basename(made)}.`))}[0-9a-f]{8}\\.partial`;
    error.message = error.message.replaceAll(new RegExp(beside, "g"), path).replaceAll(made, path);
  }
  return error;
}

function absolute(paths: StageFlags["inputs"][string], at: (path: string) => string): Task["inputs"][string] {
  if (typeof paths === "string") return at(paths);
  if (Array.isArray(paths)) return paths.map(at);
  return Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, at(path)]));
}

/**
 * Every input is there, and none is several files where a port takes one.
 * @throws {DataError, UsageError} naming all that are not
 */
function checkThere(stage: Stage, inputs: Task["inputs"]): void {
  const all = Object.entries(inputs).flatMap(([port, paths]) =>
    (typeof paths === "string" ? [paths] : Object.values(paths)).map((path) => ({ port, path }))
  );
  const several = all.filter(({ port, path }) =>
    !contractsOf(stage.inputs[port]!).includes("file") && fileSet(path) !== undefined
  );
  if (several.length > 0) {
    const list = several.map(({ port, path }) => `--in.${port} is ${shownPath(path)}`).join(", ");
    throw new UsageError(
      `Cannot use patterns as only ports of data files take more than one file: ${list}`,
    );
  }
  const missing = all.flatMap(({ port, path }) =>
    whatIsMissing(path).map((what) => `--in.${port} ${path} (${what})`)
  );
  if (missing.length > 0) throw new DataError(`Cannot read inputs as each must exist: ${missing.join(", ")}`);
}

/** Puts what the stage wrote at its place, over what was there; an optional output may not have been written. */
async function publish(from: string, to: string): Promise<void> {
  const there = await Deno.lstat(from).catch(() => undefined);
  if (!there) return;
  try {
    if (there.isDirectory) await Deno.remove(to, { recursive: true }).catch(() => {});
    await Deno.rename(from, to);
  } catch (cause) {
    throw writeError(to, cause);
  }
}

function progressLine(progress: StageProgress): string {
  const step = progress.step === undefined
    ? ""
    : `${progress.step}${progress.total === undefined ? "" : `/${progress.total}`}`;
  const fields = Object.entries(progress.fields ?? {}).map(([name, value]) =>
    `${name} ${Number(value.toPrecision(4))}`
  );
  const warning = progress.warning === undefined ? "" : `warning: ${progress.warning}`;
  return [step, progress.message ?? "", warning, ...fields].filter((text) => text !== "").join("  ");
}

/** Runs the frozen task in `file`; talks to the driver by JSON lines on standard output. Gives the exit code. */
async function runAsWorker(stage: Stage, file: string, stop: AbortController): Promise<number> {
  const task = taskSchema.parse(JSON.parse(await Deno.readTextFile(file)));
  const channel = workerChannel(stop);
  try {
    using _lock = task.lock === undefined ? undefined : await waitForLock(task.lock, stop.signal);
    if (stop.signal.aborted) {
      throw new TryAgainError(`Cannot begin ${stage.id} as it was stopped: nothing is lost`);
    }
    if (task.scratch !== undefined) await Deno.mkdir(task.scratch, { recursive: true });
    await runTask(stage, task, { signal: stop.signal, progress: channel.progress });
    return 0;
  } catch (error) {
    channel.failed(error);
    return exitCodeOf(error);
  }
}
