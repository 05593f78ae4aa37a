/**
 * Runs a stage in a container of the project's image, as the user of this process: no network, no capabilities, a read-only
 * root, the inputs read-only and the outputs writable under the paths that they have outside.
 * @module
 */
import { dirname, join } from "node:path";
import { childCommand } from "@/lib/data/files/child_command.ts";
import { exists } from "@/lib/data/files/paths.ts";
import { reachedHosts } from "@/lib/data/contracts/reached_hosts.ts";
import type { Task, TaskControl } from "@/lib/pipeline/engine/task.ts";
import { UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { followWorker } from "./attached_worker.ts";
import type { Placement } from "./site.ts";
import { attemptOf, readPaths, workerArguments, writtenPaths } from "./worker_command.ts";

/** What every container of a run has in common. */
export interface ContainerOptions {
  /** absolute path of podman or docker */
  readonly engine: string;
  /** variables that the engine's client needs, such as `DOCKER_HOST` */
  readonly keep: readonly string[];
  readonly kill?: AbortSignal;
}

/** Where the project is in the image. */
const ROOT = "/app";
const PROGRAMS = {
  list: () => Promise.resolve([]),
  load: () => Promise.reject(),
  program: (id: string) => `${ROOT}/stages/${id}/main.ts`,
};

/**
 * Runs `task` in a container and waits for its end.
 * @throws {UsageError} for a task that needs the network; {UnavailableError} where the engine or the image is missing
 */
export async function runInContainer(
  task: Task,
  control: TaskControl,
  placement: Placement,
  options: ContainerOptions,
): Promise<void> {
  if (reachedHosts(task.params).length > 0) {
    throw new UsageError(
      `${task.stage} connects to ${reachedHosts(task.params).join(", ")}: a container has no network`,
    );
  }
  const taskFile = join(dirname(attemptOf(task)), "task.json"),
    name = `srppo-${crypto.randomUUID().slice(0, 13)}`;
  await Deno.writeTextFile(taskFile, JSON.stringify(task));
  for (const path of [task.scratch, task.lock]) if (path !== undefined) makeFor(path, path === task.scratch);
  const child = childCommand(options.engine, containerArguments(task, taskFile, name, placement), {
    keep: options.keep,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const remove = () => {
    // Not awaited: this process is about to end.
    childCommand(options.engine, ["rm", "--force", "--time", "0", name], {
      keep: options.keep,
      stdout: "null",
      stderr: "null",
    }).spawn();
  };
  try {
    await followWorker(child, task, control, {
      ...(options.kill ? { kill: options.kill } : {}),
      killRemote: remove,
    });
  } catch (error) {
    // 125 and above are the engine's own codes: it has no such image, or cannot start the container.
    const text = error instanceof Error ? error.message : String(error);
    if (/ended with exit code 12[5-7]\b/.test(text)) {
      throw new UnavailableError(
        `The container of ${task.stage} did not start: ${text.split("\n").slice(1).join(" ")}`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** Returns the arguments of podman or docker. */
function containerArguments(
  task: Task,
  taskFile: string,
  name: string,
  placement: Placement,
): string[] {
  const { uid, gid } = { uid: Deno.uid(), gid: Deno.gid() };
  const mount = (path: string, mode: "ro" | "rw") => ["--volume", `${path}:${path}:${mode}`];
  const written = writtenPaths(task).map((path) => path === task.lock ? dirname(path) : path);
  return [
    ...[
      "run",
      "--rm",
      "--interactive",
      "--name",
      name,
      "--network",
      "none",
      "--read-only",
      "--cap-drop",
      "all",
    ],
    ...["--security-opt", "no-new-privileges", "--user", `${uid}:${gid}`, "--tmpfs", "/tmp"],
    ...(placement.cpus === undefined ? [] : ["--cpus", `${placement.cpus}`]),
    ...(placement.memory === undefined ? [] : ["--memory", placement.memory]),
    ...(placement.gpus ? ["--gpus", "all"] : []),
    ...[...new Set([...readPaths(task), taskFile])].flatMap((path) => mount(path, "ro")),
    ...[...new Set(written)].flatMap((path) => mount(path, "rw")),
    ...(placement.options ?? []),
    ...["--entrypoint", "deno", placement.image!],
    ...workerArguments(task, taskFile, { root: ROOT, stages: PROGRAMS }),
  ];
}

/** Makes a mounted directory, or the directory of a mounted file, which the engine would make as root. */
function makeFor(path: string, isDirectory: boolean): void {
  const directory = isDirectory ? path : dirname(path);
  if (!exists(directory)) Deno.mkdirSync(directory, { recursive: true });
}
