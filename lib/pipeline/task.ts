/**
 * A frozen task: all that a stage needs to run, and nothing to plan. A worker gets it as a JSON file.
 * @module
 */
import { z } from "zod";
import type { Contract, InputPaths, Port, Ports, Stage, StageProgress } from "@/lib/contracts/stage.ts";
import type { HandOver } from "@/lib/files/hand_over.ts";
import { UsageError } from "@/lib/tensor/errors.ts";
import { contractsOf } from "./ports.ts";
import { phraseOf } from "./zod_phrases.ts";

const paths = z.union([z.string(), z.array(z.string()), z.record(z.string(), z.string())]);

/** Shape of a task file, version 1. */
export const taskSchema = z.strictObject({
  version: z.literal(1),
  stage: z.string(),
  key: z.string().optional(),
  params: z.record(z.string(), z.unknown()),
  inputs: z.record(z.string(), paths),
  outputs: z.record(z.string(), z.string()),
  seed: z.int().min(0),
  iteration: z.int().min(0),
  threads: z.int().min(1),
  scratch: z.string().optional(),
  /** lock that the worker holds while it runs, so that an orphan and its successor never share a scratch directory */
  lock: z.string().optional(),
});

/** A frozen task. Paths are absolute. */
export type Task = z.output<typeof taskSchema>;

/** How a running task hears of a stop and tells of its progress. */
export interface TaskControl {
  readonly signal: AbortSignal;
  readonly progress: (progress: StageProgress) => void;
  /** for stages that run in this process */
  readonly handOver?: HandOver;
}

/** Runs tasks somewhere. */
export interface Executor {
  readonly name: "inline" | "process";
  /** true: several tasks may run at the same time */
  readonly parallel: boolean;
  /** true: tasks run in this process, where one can hand large files to the next in memory */
  readonly sharesMemory: boolean;
  readonly run: (task: Task, control: TaskControl) => Promise<void>;
}

/** Runs `task` in this process. */
export async function runTask(stage: Stage, task: Task, control: TaskControl): Promise<void> {
  const params = stage.params.safeParse(task.params);
  if (!params.success) {
    const issues = params.error.issues.map((issue) => `${issue.path.join(".")} ${phraseOf(issue)}`);
    throw new UsageError(`Cannot run ${stage.id} as its parameters must be valid: ${issues.join("; ")}`);
  }
  checkNeeds(stage, params.data, task.inputs as InputPaths);
  await stage.run({
    params: params.data,
    inputs: task.inputs as InputPaths,
    outputs: task.outputs,
    seed: task.seed,
    iteration: task.iteration,
    ...(task.scratch === undefined ? {} : { scratch: task.scratch }),
    threads: task.threads,
    signal: control.signal,
    progress: control.progress,
    ...(control.handOver === undefined ? {} : { handOver: control.handOver }),
  });
}

/** @throws {UsageError} listing the inputs that parameters need and that are not given */
export function checkNeeds<Schema extends z.ZodObject>(
  stage: Stage<Schema>,
  params: z.output<Schema>,
  inputs: InputPaths,
): void {
  const missing = Object.entries(stage.needs?.(params) ?? {}).filter(([port]) =>
    Object.keys(inputs[port] ?? []).length === 0
  );
  if (missing.length === 0) return;
  const list = missing.map(([port, setting]) => `${setting} needs ${port}`).join("; ");
  throw new UsageError(
    `Cannot run ${stage.id} as the inputs that its parameters need must be given: ${list}`,
  );
}

const DIRECTORIES: readonly Contract[] = ["model", "models", "reward", "state"];

/** What an output's value is on disk. A report may be a file or a directory. */
export function kindOf(port: Port): "file" | "directory" | "either" {
  const contracts = contractsOf(port);
  if (contracts.some((c) => DIRECTORIES.includes(c))) return "directory";
  return contracts.includes("report") ? "either" : "file";
}

/** Names of the files and directories of a stage's outputs: `scored.arrow`, `report`, `policy`. */
export function outputNames(ports: Ports): Record<string, string> {
  return Object.fromEntries(
    Object.entries(ports).map((
      [name, port],
    ) => [name, contractsOf(port)[0]!.includes("@") ? `${name}.arrow` : name]),
  );
}
