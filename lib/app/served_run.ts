/**
 * One run of a stage on behalf of the server: a private place for outputs until all of them are there, a scratch
 * directory that the same request finds again after a stop, and progress as an async stream of events. Where the stage
 * computes is the executor's matter.
 * @module
 */
import { basename, dirname, join } from "node:path";
import type { Stage, StageProgress } from "@/lib/contracts/stage.ts";
import { digestJson } from "@/lib/files/digest.ts";
import { namedPaths } from "@/lib/files/file_pattern.ts";
import type { Executor, Task } from "@/lib/pipeline/task.ts";
import { exitCodeOf } from "@/lib/tensor/errors.ts";
import { type DataRoot, PRIVATE_FOLDER } from "./data_root.ts";
import type { RunRequest } from "./run_request.ts";

/** What the client is told. A run ends with `finished` or `failed`, always one of them. */
export type ServedEvent =
  | { readonly event: "progress"; readonly data: StageProgress }
  | {
    readonly event: "finished";
    readonly data: { readonly stage: string; readonly seconds: number; readonly outputs: readonly string[] };
  }
  | { readonly event: "failed"; readonly data: { readonly message: string; readonly exit_code: number } };

/** What the machine gives to a run. */
export interface RunSettings {
  readonly root: DataRoot;
  readonly executor: Executor;
  readonly threads: number;
  readonly signal: AbortSignal;
  /** called once, when the stage has ended; the client may still be reading then */
  readonly release: () => void;
}

/** Progress that a slow client has not read yet; beyond it the oldest is dropped, as only the newest matters. */
const MAX_PENDING = 64;

/**
 * Runs `stage` and calls `tell` with one event after the other, in order. Resolves when all is told, however the run
 * ended. Between two events the event loop turns, so that other requests are answered and signals arrive.
 */
export async function runServed(
  stage: Stage,
  request: RunRequest,
  settings: RunSettings,
  tell: (event: ServedEvent) => Promise<void>,
): Promise<void> {
  const started = performance.now();
  const pending: StageProgress[] = [];
  let wake: () => void = () => {};
  let last: ServedEvent | undefined;
  const work = runToOutputs(stage, request, settings, (progress) => {
    if (pending.length === MAX_PENDING) pending.shift();
    pending.push(progress);
    wake();
  }).then((outputs): ServedEvent => {
    const seconds = Math.round(performance.now() - started) / 1000;
    return { event: "finished", data: { stage: stage.id, seconds, outputs } };
  }, (error): ServedEvent => {
    const message = error instanceof Error ? error.message : String(error);
    return { event: "failed", data: { message, exit_code: exitCodeOf(error) } };
  }).then((event) => {
    settings.release();
    last = event;
    wake();
  });
  while (last === undefined || pending.length > 0) {
    const next = pending.shift();
    if (next !== undefined) await tell({ event: "progress", data: next });
    else await new Promise<void>((resolve) => wake = resolve);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await work;
  await tell(last);
}

/**
 * Paths that no other run may use at the same time: the outputs, and the scratch directory, which equal requests share.
 */
export function claimsOf(stage: Stage, request: RunRequest, root: DataRoot): string[] {
  return [...Object.values(request.outputs), scratchOf(stage, request, root)];
}

/** Runs the stage into private places beside the outputs, then moves all of them; returns the ports that were written. */
async function runToOutputs(
  stage: Stage,
  request: RunRequest,
  { root, executor, threads, signal }: RunSettings,
  progress: (p: StageProgress) => void,
): Promise<string[]> {
  const scratch = scratchOf(stage, request, root);
  // Named after the action, so that the next attempt clears away what a killed one left.
  const id = basename(scratch).slice(0, 8);
  const private_ = Object.entries(request.outputs).map(([port, to]) => {
    const folder = join(dirname(to), `.${basename(to)}.${id}.partial`);
    // A folder further down: a process finds its task.json beside the folder that it may write.
    return { port, to, folder, from: join(folder, "outputs", basename(to)) };
  });
  const lock = `${scratch}.lock`;
  const { params, inputs, seed, iteration } = request;
  try {
    for (const { folder, from } of private_) {
      if (isThere(folder)) Deno.removeSync(folder, { recursive: true });
      Deno.mkdirSync(dirname(from), { recursive: true });
    }
    Deno.mkdirSync(scratch, { recursive: true });
    await executor.run({
      version: 1,
      stage: stage.id,
      params,
      inputs: inputs as Task["inputs"],
      outputs: Object.fromEntries(private_.map(({ port, from }) => [port, from])),
      seed: stage.random ? seed : 0,
      iteration: stage.random ? iteration : 0,
      threads,
      scratch,
      lock,
    }, { signal, progress });
    const written = private_.filter(({ from }) => isThere(from));
    for (const { from, to } of written) Deno.renameSync(from, to);
    Deno.removeSync(scratch, { recursive: true });
    return written.map(({ port }) => port);
  } finally {
    for (const path of [...private_.map(({ folder }) => folder), lock]) {
      if (isThere(path)) Deno.removeSync(path, { recursive: true });
    }
  }
}

/** Where a run keeps what it needs to go on after a stop. */
function scratchOf(stage: Stage, request: RunRequest, root: DataRoot): string {
  return join(root.path, PRIVATE_FOLDER, "scratch", scratchKey(stage, request));
}

/**
 * Names the scratch directory of this very action: stage, parameters, seeds, and the inputs by path, size and time of
 * change. Content digests would be surer and would read gigabytes before every run; a file that changes within a run's
 * restart under the same size and time is not a case to serve.
 */
function scratchKey(stage: Stage, { params, inputs, seed, iteration }: RunRequest): string {
  const states = Object.entries(inputs).map(([port, value]) => [
    port,
    typeof value === "string"
      ? [stateOf(value)]
      : Object.entries(value ?? {}).map(([key, path]) => [key, stateOf(path)]),
  ]);
  return digestJson({ stage: stage.id, params: JSON.parse(JSON.stringify(params)), states, seed, iteration });
}

function stateOf(path: string): unknown[] {
  const paths = namedPaths(path);
  if (paths.length > 1) return [path, paths.map(stateOf)];
  const { isDirectory, size, mtime } = Deno.statSync(path);
  if (!isDirectory) return [path, size, mtime?.getTime() ?? 0];
  const names = [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
  return [path, names.map((name) => stateOf(join(path, name)))];
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
