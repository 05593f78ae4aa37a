/**
 * Runs every stage in its own process, with read access to its inputs and the code, write access to its outputs and scratch
 * directory, foreign functions, and nothing else: no environment, no network except the hosts that its parameters name, and
 * no subprocess except that of a user's module, if it has one.
 * @module
 */
import { dirname, join } from "node:path";
import { reachedHosts, URL_TOKEN } from "@/lib/data/contracts/reached_hosts.ts";
import { modulePermissions, usedModules } from "@/lib/data/contracts/user_modules.ts";
import { childCommand, sendSignal } from "@/lib/data/files/child_command.ts";
import { namedPaths } from "@/lib/data/files/file_pattern.ts";
import { DataError, EXIT, TryAgainError, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { allowFlags } from "./allow_flags.ts";
import type { StageSource } from "./blueprint.ts";
import { linesOf } from "./lines_of.ts";
import type { Executor, Task, TaskControl } from "./task.ts";
import { parseMessage } from "./worker_channel.ts";

/** Where the code of the processes is. */
interface ProcessOptions {
  readonly stages: StageSource;
  /** folder of deno.json */
  readonly root: string;
  /** names of environment variables that the processes get beside the base list */
  readonly keepEnv?: readonly string[];
  /** aborted when all processes must end at once */
  readonly kill?: AbortSignal;
}

/** Parts of the project that a stage may read. */
const CODE = ["deno.json", "deno.lock", "lib", "stages", "node_modules", "fixtures/benchmarks"];

/** Returns an executor that starts `deno run` for each task. */
export function processExecutor(options: ProcessOptions): Executor {
  return {
    name: "process",
    parallel: true,
    sharesMemory: false,
    run: (task, control) => runProcess(task, control, options),
  };
}

/** Returns the flags of `deno run` that grant a task the permissions that it needs. */
export function taskPermissions(task: Task, taskFile: string, options: ProcessOptions): string[] {
  const inputs = Object.values(task.inputs).flatMap((paths) =>
    (typeof paths === "string" ? [paths] : Object.values(paths)).flatMap(namedPaths)
  );
  const written = [
    ...new Set(Object.values(task.outputs).map(dirname)),
    ...[task.scratch, task.lock].filter((path) => path !== undefined),
  ];
  const code = [...CODE.map((name) => join(options.root, name)), dirname(options.stages.program(task.stage))];
  const modules = usedModules(task.inputs, task.params).length > 0
    ? modulePermissions()
    : { read: [], run: [] };
  const system = ["/proc/cpuinfo", "/sys/devices/system/cpu", ...modules.read];
  const read = [...code, ...inputs, ...written, taskFile, ...system];
  const bad = [...read, ...written].filter((path) => path.includes(","));
  if (bad.length > 0) {
    throw new UsageError(
      `Paths must not contain a comma with --executor process, got ${[...new Set(bad)].join("; ")}`,
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
    ...allowFlags("run", modules.run),
    "--allow-ffi",
  ];
}

async function runProcess(task: Task, control: TaskControl, options: ProcessOptions): Promise<void> {
  const folder = dirname(dirname(Object.values(task.outputs)[0]!));
  const taskFile = join(folder, "task.json");
  await Deno.writeTextFile(taskFile, JSON.stringify(task));
  const hosts = reachedHosts(task.params);
  const child = childCommand(Deno.execPath(), [
    "run",
    ...taskPermissions(task, taskFile, options),
    `--config=${join(options.root, "deno.json")}`,
    options.stages.program(task.stage),
    "--task",
    taskFile,
  ], {
    keep: [...(options.keepEnv ?? []), ...(hosts.length > 0 ? [URL_TOKEN] : [])],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stop = () => sendSignal(child, "SIGTERM"), end = () => sendSignal(child, "SIGKILL");
  const kills = [control.kill, options.kill].filter((kill) => kill !== undefined);
  if (control.signal.aborted) stop();
  control.signal.addEventListener("abort", stop);
  for (const kill of kills) {
    if (kill.aborted) end();
    kill.addEventListener("abort", end);
  }
  let failed: string | undefined;
  try {
    const errors = tail(child.stderr);
    for await (const line of linesOf(child.stdout)) {
      const message = parseMessage(line);
      if (message && "failed" in message) failed = message.failed.message;
      else if (message) control.progress(message.progress);
    }
    const { code, signal } = await child.status;
    if (code === 0) return;
    if (signal !== null && control.signal.aborted) {
      throw new TryAgainError(
        `Interrupted: ${task.stage} was killed, as it did not end in time. Run the same command to resume`,
      );
    }
    const end = `${task.stage} ended with ${signal ?? `exit code ${code}`}`;
    const text = await errors;
    throw workerError(signal === null ? code : EXIT.internal, failed ?? `${end}${text && `\n${text}`}`);
  } finally {
    control.signal.removeEventListener("abort", stop);
    for (const kill of kills) kill.removeEventListener("abort", end);
    await child.stdin.close().catch(() => {});
  }
}

/** A stage's process failed with an exit code that has no class of its own. Exit code 70. */
class WorkerError extends Error {
  override name = "WorkerError";
}

/** Returns the project's error for a worker's exit code. */
function workerError(code: number, message: string): Error {
  if (code === EXIT.usage) return new UsageError(message);
  if (code === EXIT.badData) return new DataError(message);
  if (code === EXIT.unavailable) return new UnavailableError(message);
  if (code === EXIT.tryAgain) return new TryAgainError(message);
  return new WorkerError(message);
}

/** Returns the last 4,000 characters of a stream. */
async function tail(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) text = (text + part).slice(-4000);
  return text.trim();
}
