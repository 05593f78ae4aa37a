/**
 * Runs every stage as a process of its own, with read access to its inputs and the code, write access to its outputs and
 * scratch directory, foreign functions, and nothing else: no subprocess, no environment, no network but for the hosts that
 * its own parameters name.
 * @module
 */
import { dirname, join } from "node:path";
import { reachedHosts, URL_TOKEN } from "@/lib/contracts/reached_hosts.ts";
import { namedPaths } from "@/lib/files/file_pattern.ts";
import { DataError, EXIT, TryAgainError, UnavailableError, UsageError } from "@/lib/tensor/errors.ts";
import { allowFlags } from "./allow_flags.ts";
import type { StageSource } from "./blueprint.ts";
import { linesOf } from "./lines_of.ts";
import type { Executor, Task, TaskControl } from "./task.ts";
import { workerMessageSchema } from "./worker_channel.ts";

/** Where the processes find their code. */
export interface ProcessOptions {
  readonly stages: StageSource;
  /** folder of deno.json; read access is given to all of it but what a run writes */
  readonly root: string;
}

/** Parts of the project that a stage may read. */
const CODE = ["deno.json", "deno.lock", "lib", "stages", "node_modules"];

/** An executor that starts `deno run` for each task. */
export function processExecutor(options: ProcessOptions): Executor {
  return {
    name: "process",
    parallel: true,
    sharesMemory: false,
    run: (task, control) => runProcess(task, control, options),
  };
}

/** Flags of `deno run` that grant a task what it needs. */
export function taskPermissions(task: Task, taskFile: string, options: ProcessOptions): string[] {
  const inputs = Object.values(task.inputs).flatMap((paths) =>
    (typeof paths === "string" ? [paths] : Object.values(paths)).flatMap(namedPaths)
  );
  const written = [
    ...new Set(Object.values(task.outputs).map(dirname)),
    ...(task.scratch === undefined ? [] : [task.scratch]),
    ...(task.lock === undefined ? [] : [task.lock]),
  ];
  const code = [...CODE.map((name) => join(options.root, name)), dirname(options.stages.program(task.stage))];
  const read = [...code, ...inputs, ...written, taskFile, "/proc/cpuinfo", "/sys/devices/system/cpu"];
  const bad = [...read, ...written].filter((path) => path.includes(","));
  if (bad.length > 0) {
    throw new UsageError(
      `Cannot start a process as paths must have no comma: ${[...new Set(bad)].join("; ")}`,
    );
  }
  const hosts = reachedHosts(task.params);
  return [
    "--no-prompt",
    "--cached-only",
    ...allowFlags("read", read),
    ...allowFlags("write", written),
    ...allowFlags("net", hosts),
    ...allowFlags("env", hosts.length > 0 ? [URL_TOKEN] : []),
    "--allow-ffi",
  ];
}

async function runProcess(task: Task, control: TaskControl, options: ProcessOptions): Promise<void> {
  const folder = dirname(dirname(Object.values(task.outputs)[0]!));
  const taskFile = join(folder, "task.json");
  await Deno.writeTextFile(taskFile, JSON.stringify(task));
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...taskPermissions(task, taskFile, options),
      `--config=${join(options.root, "deno.json")}`,
      options.stages.program(task.stage),
      "--task",
      taskFile,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stop = () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has just ended by itself.
    }
  };
  if (control.signal.aborted) stop();
  control.signal.addEventListener("abort", stop);
  let failed: string | undefined;
  try {
    const errors = tail(child.stderr);
    for await (const line of linesOf(child.stdout)) {
      const message = parseMessage(line);
      if (!message) continue;
      if ("failed" in message) failed = message.failed.message;
      else control.progress(message.progress as Parameters<TaskControl["progress"]>[0]);
    }
    const { code, signal } = await child.status;
    if (code !== 0) throw failure({ task, code, signal, failed, errors: await errors });
  } finally {
    control.signal.removeEventListener("abort", stop);
    await child.stdin.close().catch(() => {});
  }
}

/** The project's error for a worker that did not end well. */
function failure({ task, code, signal, failed, errors }: {
  readonly task: Task;
  readonly code: number;
  readonly signal: string | null;
  readonly failed: string | undefined;
  readonly errors: string;
}): Error {
  const message = failed ??
    `Cannot finish ${task.stage} as its process must end by itself: ${signal ?? `exit code ${code}`}${
      errors && `\n${errors}`
    }`;
  if (signal === null && code === EXIT.usage) return new UsageError(message);
  if (signal === null && code === EXIT.badData) return new DataError(message);
  if (signal === null && code === EXIT.unavailable) return new UnavailableError(message);
  if (signal === null && code === EXIT.tryAgain) return new TryAgainError(message);
  return new WorkerError(message);
}

/** A stage's process failed in a way that has no class of its own. Exit code 70. */
export class WorkerError extends Error {
  override name = "WorkerError";
}

function parseMessage(line: string): ReturnType<typeof workerMessageSchema.parse> | undefined {
  try {
    return workerMessageSchema.parse(JSON.parse(line));
  } catch {
    // Something that the stage printed; standard output is no place for it, but no reason to fail either.
    return undefined;
  }
}

/** The last 4,000 characters of a stream. */
async function tail(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) text = (text + part).slice(-4000);
  return text.trim();
}
