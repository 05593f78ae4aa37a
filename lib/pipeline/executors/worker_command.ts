/**
 * The command that runs one task in a process of its own, with read access to its inputs and the code, write access to its
 * outputs and scratch directory, foreign functions, and nothing else: no environment, no network except the hosts that its
 * parameters name, and no subprocess except that of a user's module, if it has one.
 * @module
 */
import { dirname, join } from "node:path";
import { reachedHosts, URL_TOKEN } from "@/lib/data/contracts/reached_hosts.ts";
import { modulePermissions, usedModules } from "@/lib/data/contracts/user_modules.ts";
import { namedPaths } from "@/lib/data/files/file_pattern.ts";
import { linkTargets } from "@/lib/data/files/linked_files.ts";
import { isDirectory } from "@/lib/data/files/paths.ts";
import { allowFlags } from "@/lib/pipeline/engine/allow_flags.ts";
import type { StageSource } from "@/lib/pipeline/engine/blueprint.ts";
import type { Task } from "@/lib/pipeline/engine/task.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** Where the code of a worker is. */
export interface WorkerCode {
  readonly stages: StageSource;
  /** folder of deno.json */
  readonly root: string;
}

/** Parts of the project that a stage may read. */
const CODE = ["deno.json", "deno.lock", "lib", "stages", "node_modules", "fixtures/benchmarks"];

/** Returns the arguments of Deno for the worker of `task`, which is in `taskFile`. */
export function workerArguments(task: Task, taskFile: string, code: WorkerCode): string[] {
  return [
    "run",
    ...taskPermissions(task, taskFile, code),
    `--config=${join(code.root, "deno.json")}`,
    code.stages.program(task.stage),
    "--task",
    taskFile,
  ];
}

/** Returns the flags of `deno run` that grant a task the permissions that it needs. */
export function taskPermissions(task: Task, taskFile: string, { stages, root }: WorkerCode): string[] {
  const code = [...CODE.map((name) => join(root, name)), dirname(stages.program(task.stage))];
  const written = writtenPaths(task),
    modules = hasModules(task) ? modulePermissions() : { read: [], run: [] };
  const system = ["/proc/cpuinfo", "/sys/devices/system/cpu", ...modules.read];
  const inputs = readPaths(task);
  const read = [
    ...code,
    ...inputs,
    ...inputs.filter(isReadableDirectory).flatMap(linkTargets),
    ...written,
    taskFile,
    ...system,
  ];
  const bad = [...read, ...written].filter((path) => path.includes(","));
  if (bad.length > 0) {
    throw new UsageError(
      `Paths must not contain a comma except with --executor inline, got ${[...new Set(bad)].join("; ")}`,
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

/** Returns whether `path` is a directory that this process may read: links in one that it may not are not known. */
function isReadableDirectory(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted" && isDirectory(path);
}

/** Returns the files and directories that a task reads: its inputs. */
export function readPaths(task: Task): string[] {
  return Object.values(task.inputs).flatMap((paths) =>
    (typeof paths === "string" ? [paths] : Object.values(paths)).flatMap(namedPaths)
  );
}

/** Returns the directories that a task writes to, and its lock. */
export function writtenPaths(task: Task): string[] {
  return [
    ...new Set(Object.values(task.outputs).map(dirname)),
    ...[task.scratch, task.lock].filter((path) => path !== undefined),
  ];
}

/** Returns the directory of an attempt: of all outputs of `task`. */
export function attemptOf(task: Task): string {
  return dirname(Object.values(task.outputs)[0]!);
}

/** Returns whether a task has a user's module. */
function hasModules(task: Task): boolean {
  return usedModules(task.inputs, task.params).length > 0;
}

/** Returns the variables that a task needs beside the base list: the token of the hosts that it reaches. */
export function taskEnvironment(task: Task): string[] {
  return reachedHosts(task.params).length > 0 ? [URL_TOKEN] : [];
}
