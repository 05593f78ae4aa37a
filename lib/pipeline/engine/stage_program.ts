/**
 * A stage as a program: `deno run stages/x/main.ts --in.tokens … --out.policy … --lr 1e-3`, or `--task FILE` as a worker of
 * a pipeline. The exit code says how it ended; no incomplete output is left behind.
 * @module
 */
import { escapeControls } from "@/lib/compute/tensor/control_characters.ts";
import { basename, dirname, join, resolve } from "node:path";
import type { Stage, StageProgress } from "@/lib/data/contracts/stage.ts";
import { diskError, writeError } from "@/lib/data/files/file_errors.ts";
import { resolvePattern } from "@/lib/data/files/file_pattern.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { EXIT, exitCodeOf, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { waitForLock } from "./file_lock.ts";
import { checkExist, checkSingle } from "./inputs.ts";
import { readStageFlags, type StageFlags } from "./stage_flags.ts";
import { stageHelp } from "./stage_help.ts";
import { runTask, type Task, taskSchema } from "./task.ts";
import { statOf } from "./tree.ts";
import { openWorkerChannel } from "./worker_channel.ts";

/** How a stage program is started, for tests and for the command that wraps it. */
export interface ProgramOptions {
  readonly args?: readonly string[];
  /** name of the program in the help text */
  readonly command?: string;
  /** where relative paths start; default: the current folder */
  readonly workingDirectory?: string;
}

/** Runs the program of `stage` and ends the process with its exit code. */
export async function runStageProgram(stage: Stage, options: ProgramOptions = {}): Promise<never> {
  const args = options.args ?? Deno.args;
  const stop = new AbortController();
  let interrupts = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const) {
    if (Deno.build.os === "windows" && signal !== "SIGINT") continue;
    Deno.addSignalListener(signal, () => {
      if (signal === "SIGINT" && ++interrupts === 2) Deno.exit(EXIT.tryAgain);
      stop.abort();
    });
  }
  let code: number = EXIT.ok;
  try {
    const flags = readStageFlags(stage, args);
    if (flags.help) printOut(stageHelp(stage, options.command ?? `deno run ${stage.id}/main.ts`));
    else if (flags.task !== undefined) code = await runAsWorker(stage, flags.task, stop);
    else await runFromFlags(stage, flags, stop.signal, options.workingDirectory ?? Deno.cwd());
  } catch (error) {
    console.error(
      escapeControls(
        args.includes("--verbose")
          ? Deno.inspect(error)
          : error instanceof Error
          ? error.message
          : String(error),
      ),
    );
    code = exitCodeOf(error);
  }
  Deno.exit(code);
}

async function runFromFlags(
  stage: Stage,
  flags: StageFlags,
  signal: AbortSignal,
  workingDirectory: string,
): Promise<void> {
  const at = (path: string) => resolve(workingDirectory, path);
  const inputs = mapValues(flags.inputs, (paths) => resolvePaths(paths, (path) => resolvePattern(at(path))));
  checkInputs(stage, inputs);
  const wanted = mapValues(flags.outputs, at);
  const places = new OutputPlaces(stage, wanted, Object.values(wanted).map(dirname)[0] ?? at("."));
  const scratch = flags.scratch === undefined ? join(places.unwanted, "scratch") : at(flags.scratch);
  try {
    await places.create(scratch);
    const task: Task = {
      version: 1,
      stage: stage.id,
      params: flags.params,
      inputs,
      outputs: places.temporary,
      seed: stage.random ? flags.seed : 0,
      iteration: stage.random ? flags.iteration : 0,
      threads: flags.threads,
      ...(flags.device !== undefined && { device: flags.device }),
      scratch,
    };
    const progress = (p: StageProgress) => {
      // A software driver, or a choice of the device, must be seen.
      const isShown = flags.device !== undefined && p.warning !== undefined;
      if (flags.verbose || isShown) console.error(progressLine(p));
    };
    await runTask(stage, task, { signal, progress });
    await places.publish();
  } catch (cause) {
    throw places.withWantedPaths(cause);
  } finally {
    await places.clear();
  }
}

/** Temporary places of outputs, beside their final ones; outputs that were not requested are removed at the end. */
class OutputPlaces {
  /** temporary path of each output port */
  readonly temporary: Readonly<Record<string, string>>;
  /** directory of outputs that were not requested */
  readonly unwanted: string;

  constructor(stage: Stage, readonly wanted: Readonly<Record<string, string>>, readonly home: string) {
    const id = crypto.randomUUID().slice(0, 8);
    this.unwanted = join(home, `.${stage.id}.${id}.partial`);
    this.temporary = Object.fromEntries(
      Object.keys(stage.outputs).map((port) => {
        const path = wanted[port];
        const isWanted = path !== undefined;
        return [port, isWanted ? join(dirname(path), `.${port}.${id}.partial`) : join(this.unwanted, port)];
      }),
    );
  }

  /** Creates the directories. */
  async create(scratch: string): Promise<void> {
    try {
      await Deno.mkdir(this.unwanted, { recursive: true });
      await Deno.mkdir(scratch, { recursive: true });
      for (const path of Object.values(this.wanted)) await Deno.mkdir(dirname(path), { recursive: true });
    } catch (cause) {
      throw writeError(this.home, cause);
    }
  }

  /** Moves the outputs to their places, replacing what is there; an optional output may not have been written. */
  async publish(): Promise<void> {
    for (const [port, to] of Object.entries(this.wanted)) {
      const from = this.temporary[port]!, info = statOf(from);
      if (!info) continue;
      try {
        if (info.isDirectory) await Deno.remove(to, { recursive: true }).catch(() => {});
        await Deno.rename(from, to);
      } catch (cause) {
        throw writeError(to, cause);
      }
    }
  }

  /** Returns `cause` with the requested places instead of the temporary ones in its message. */
  withWantedPaths(cause: unknown): unknown {
    const error = diskError(this.home, cause);
    if (!(error instanceof Error)) return error;
    for (const [port, path] of Object.entries(this.wanted)) {
      const made = this.temporary[port]!;
      // A file that is published as a whole has a second temporary name beside the first.
      const beside = `${RegExp.escape(join(dirname(made), `.${basename(made)}.`))}[0-9a-f]{8}\\.partial`;
      error.message = error.message.replaceAll(new RegExp(beside, "g"), path).replaceAll(made, path);
    }
    return error;
  }

  /** Removes everything temporary. */
  async clear(): Promise<void> {
    for (const path of [...Object.values(this.temporary), this.unwanted]) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
}

function mapValues<V, T>(values: Readonly<Record<string, V>>, change: (value: V) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}

type Paths = Task["inputs"][string];

function resolvePaths(paths: Paths, change: (path: string) => string): Paths {
  if (typeof paths === "string") return change(paths);
  return Array.isArray(paths) ? paths.map(change) : mapValues(paths as Record<string, string>, change);
}

/** @throws {DataError, UsageError} listing inputs that do not exist, and patterns at ports for one file */
function checkInputs(stage: Stage, inputs: Task["inputs"]): void {
  const all = Object.entries(inputs).flatMap(([name, paths]) =>
    (typeof paths === "string" ? [paths] : Object.values(paths)).map((path) => (
      { label: `--in.${name}`, path, port: stage.inputs[name]! }
    ))
  );
  checkSingle(all);
  checkExist(all.map(({ label, path }) => [label, path]));
}

function progressLine({ step, total, message = "", warning, fields = {} }: StageProgress): string {
  const parts = [
    step === undefined ? "" : total === undefined ? `${step}` : `${step}/${total}`,
    message,
    warning === undefined ? "" : `warning: ${escapeControls(warning)}`,
    ...Object.entries(fields).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`),
  ];
  return parts.filter((text) => text !== "").join("  ");
}

/** Runs the task in `file` as a worker of a driver, and returns the exit code. */
async function runAsWorker(stage: Stage, file: string, stop: AbortController): Promise<number> {
  const task = taskSchema.parse(JSON.parse(await Deno.readTextFile(file)));
  const channel = openWorkerChannel(stop, task.unattended ?? false);
  try {
    using _lock = task.lock === undefined ? undefined : await waitForLock(task.lock, stop.signal);
    if (stop.signal.aborted) throw new TryAgainError(`Interrupted before ${stage.id} began`);
    await runTask(stage, task, { signal: stop.signal, progress: channel.progress });
    return EXIT.ok;
  } catch (error) {
    channel.failed(error);
    return exitCodeOf(error);
  }
}
