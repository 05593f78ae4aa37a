/**
 * One run of a stage by the server: outputs are written to temporary paths until all of them are complete, the scratch
 * directory of an interrupted run is used again by the same request, and progress is a stream of events. The executor
 * decides where the stage runs.
 * @module
 */
import { exists } from "@/lib/data/files/paths.ts";
import { basename, dirname, join, relative } from "node:path";
import type { Stage, StageProgress } from "@/lib/data/contracts/stage.ts";
import { digestJson } from "@/lib/data/files/digest.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import type { Executor, Task } from "@/lib/pipeline/engine/task.ts";
import { exitCodeOf, UsageError } from "@/lib/compute/tensor/errors.ts";
import { type DataRoot, PRIVATE_FOLDER } from "./data_root.ts";
import { partialFolder, publishOutputs } from "./publish_outputs.ts";
import type { RunRequest } from "./run_request.ts";

/** An event sent to the client. Every run ends with one `finished` or `failed`. */
export type ServedEvent =
  | { readonly event: "progress"; readonly data: StageProgress }
  | {
    readonly event: "finished";
    readonly data: { readonly stage: string; readonly seconds: number; readonly outputs: readonly string[] };
  }
  | { readonly event: "failed"; readonly data: { readonly message: string; readonly exit_code: number } };

/** What a run needs of the server. */
export interface RunSettings {
  readonly root: DataRoot;
  readonly executor: Executor;
  readonly threads: number;
  readonly device: string | undefined;
  readonly signal: AbortSignal;
  /** aborted when the run must end at once */
  readonly kill: AbortSignal;
  /** called once when the stage has ended; the client may still be reading */
  readonly release: () => void;
}

/** Maximum number of progress events that a slow client has not read; beyond it the oldest is dropped. */
const MAX_PENDING = 64;

/**
 * Runs `stage` and calls `send` with one event after the other, in order. Resolves after the last event, whether the run
 * finished or failed. Between two events the event loop runs, so that other requests and signals are handled.
 */
export async function runServed(
  stage: Stage,
  request: RunRequest,
  settings: RunSettings,
  send: (event: ServedEvent) => Promise<void>,
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
    if (next !== undefined) await send({ event: "progress", data: next });
    else await new Promise<void>((resolve) => wake = resolve);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await work;
  await send(last);
}

/** Returns the paths that no other run may use meanwhile: outputs, and the scratch directory, which equal requests share. */
export function claimsOf(stage: Stage, request: RunRequest, root: DataRoot): string[] {
  return [...request.places, scratchOf(stage, request, root)];
}

/** Runs the stage into temporary paths beside the outputs, then renames all of them; returns the written ports. */
async function runToOutputs(
  stage: Stage,
  request: RunRequest,
  { root, executor, threads, device, signal, kill }: RunSettings,
  progress: (p: StageProgress) => void,
): Promise<string[]> {
  const scratch = scratchOf(stage, request, root);
  // Named after the request, so that the next attempt removes what a killed one left.
  const id = basename(scratch).slice(0, 8);
  const partial = Object.entries(request.outputs).map(([port, to]) => {
    const folder = partialFolder(to, id);
    // One directory deeper: a process has its task.json beside the directory that it may write.
    return { port, to, folder, from: join(folder, "outputs", basename(to)) };
  });
  const lock = `${scratch}.lock`;
  const name = (to: string) => `"${relative(root.path, to)}"`;
  const taken = Object.values(request.outputs).filter(exists);
  if (taken.length > 0) throw new UsageError(`Outputs must not exist, got ${taken.map(name).join(", ")}`);
  const { params, inputs, seed, iteration } = request;
  try {
    for (const { folder, from } of partial) {
      removeIfThere(folder);
      Deno.mkdirSync(dirname(from), { recursive: true });
    }
    Deno.mkdirSync(scratch, { recursive: true });
    await executor.run({
      version: 1,
      stage: stage.id,
      params,
      inputs: inputs as Task["inputs"],
      outputs: Object.fromEntries(partial.map(({ port, from }) => [port, from])),
      seed: stage.random ? seed : 0,
      iteration: stage.random ? iteration : 0,
      threads,
      ...(device !== undefined && { device }),
      scratch,
      lock,
    }, { signal, kill, progress });
    const written = partial.filter(({ from }) => exists(from));
    const appeared = publishOutputs(written.map(({ from, to }) => ({ from, to })));
    if (appeared !== undefined) {
      throw new UsageError(
        `Outputs must not appear while ${stage.id} runs, got ${
          appeared.map(name).join(", ")
        }: nothing is written`,
      );
    }
    Deno.removeSync(scratch, { recursive: true });
    return written.map(({ port }) => port);
  } finally {
    [...partial.map(({ folder }) => folder), lock].forEach(removeIfThere);
  }
}

/**
 * Returns the scratch directory of a request, where an interrupted run finds its checkpoint. Its name is a digest of stage,
 * parameters, seeds, and the path, size and modification time of every input; content digests would read gigabytes before
 * every run.
 */
function scratchOf(
  stage: Stage,
  { params, states, seed, iteration }: RunRequest,
  { path: root }: DataRoot,
): string {
  const plain = JSON.parse(JSON.stringify(params));
  const key = digestJson({ stage: stage.id, params: plain, states, seed, iteration });
  return join(root, PRIVATE_FOLDER, "scratch", key);
}
