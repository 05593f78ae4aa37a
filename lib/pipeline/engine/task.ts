/**
 * A task: all that a stage needs to run, without planning. A worker process reads it from a JSON file.
 * @module
 */
import { z } from "zod";
import type { Contract, InputPaths, Port, Ports, Stage, StageProgress } from "@/lib/data/contracts/stage.ts";
import type { HandOver } from "@/lib/data/files/hand_over.ts";
import { TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import type { StageSource } from "./blueprint.ts";
import { contractsOf } from "./ports.ts";
import { checkParams } from "./zod_phrases.ts";

const paths = z.union([z.string(), z.array(z.string()).readonly(), z.record(z.string(), z.string())]);

/** Schema of a task file, version 1. */
export const taskSchema = z.strictObject({
  version: z.literal(1),
  stage: z.string(),
  key: z.string().exactOptional(),
  params: z.record(z.string(), z.unknown()),
  inputs: z.record(z.string(), paths),
  outputs: z.record(z.string(), z.string()),
  seed: z.int().min(0),
  iteration: z.int().min(0),
  threads: z.int().min(1),
  /** absent: the processor */
  device: z.string().exactOptional(),
  scratch: z.string().exactOptional(),
  /** lock that the worker holds while it runs, so that an orphan and its successor never share a scratch directory */
  lock: z.string().exactOptional(),
  /** the worker continues when its driver has ended: a job of a cluster */
  unattended: z.boolean().exactOptional(),
});

/** A task. Paths are absolute. */
export type Task = Readonly<z.output<typeof taskSchema>>;

/** The connection between a running task and its driver. */
export interface TaskControl {
  /** aborted when the run is interrupted */
  readonly signal: AbortSignal;
  /** aborted when a task in another process must end at once, whatever it is doing */
  readonly kill?: AbortSignal;
  readonly progress: (progress: StageProgress) => void;
  /** which stage of the manifest, `ppo.update[3]`, if it is of one */
  readonly node?: string;
  /** for stages that run in this process */
  readonly handOver?: HandOver;
}

/** Runs tasks somewhere. */
export interface Executor {
  readonly name: string;
  /** true: several tasks may run at the same time */
  readonly parallel: boolean;
  /** true: tasks run in this process, where one can hand large files to the next in memory */
  readonly sharesMemory: boolean;
  /** CPUs of a stage that runs elsewhere (by its path in the manifest); undefined: it shares the threads of this machine */
  readonly cpus?: (stage: string) => number | undefined;
  readonly run: (task: Task, control: TaskControl) => Promise<void>;
}

/** Returns the default executor: it runs stages in the process of the driver, one at a time. */
export function inlineExecutor(stages: StageSource): Executor {
  return {
    name: "inline",
    parallel: false,
    sharesMemory: true,
    run: async (task, control) => runTask(await stages.load(task.stage), task, control),
  };
}

/**
 * Runs `task` in this process. Its scratch directory is created if it does not exist.
 * @throws {TryAgainError} if the stage is interrupted: its own one, or instead of that of `signal.throwIfAborted()`
 */
export async function runTask(stage: Stage, task: Task, control: TaskControl): Promise<void> {
  const checked = checkParams(stage, task.params);
  if ("problems" in checked) {
    const list = checked.problems.map(({ message }) => message).join("; ");
    throw new UsageError(`Invalid parameters for ${stage.id}: ${list}`);
  }
  const { params } = checked, { outputs, seed, iteration, threads, scratch } = task;
  const inputs = task.inputs as InputPaths;
  checkNeeds(stage, params, inputs);
  if (scratch !== undefined) await Deno.mkdir(scratch, { recursive: true });
  const place = {
    ...(scratch !== undefined && { scratch }),
    ...(task.device !== undefined && { device: task.device }),
  };
  try {
    await stage.run({ params, inputs, outputs, seed, iteration, threads, ...place, ...control });
  } catch (error) {
    if (!control.signal.aborted || error !== control.signal.reason) throw error;
    throw new TryAgainError(`Interrupted: ${stage.id} is discarded. Run the same command to resume`);
  }
}

/** @throws {UsageError} listing the inputs that parameters need and that are not given */
export function checkNeeds<Schema extends z.ZodObject>(
  stage: Stage<Schema>,
  params: z.output<Schema>,
  inputs: InputPaths,
): void {
  const isMissing = (port: string) => Object.keys(inputs[port] ?? []).length === 0;
  const given = Object.keys(stage.inputs).filter((port) => !isMissing(port));
  const missing = Object.entries(stage.needs?.(params, given) ?? {}).filter(([port]) => isMissing(port));
  if (missing.length === 0) return;
  const list = missing.map(([port, setting]) => `${setting} requires ${port}`).join("; ");
  throw new UsageError(`Missing inputs of ${stage.id}: ${list}`);
}

const DIRECTORIES: readonly Contract[] = ["model", "models", "reward", "state"];

/** Returns what an output is on disk. A report may be a file or a directory. */
export function portKind(port: Port): "file" | "directory" | "either" {
  const contracts = contractsOf(port);
  if (contracts.some((c) => DIRECTORIES.includes(c))) return "directory";
  return contracts.includes("report") ? "either" : "file";
}

/** Returns the names of the files and directories of a stage's outputs: `scored.arrow`, `report`, `policy`. */
export function outputNames(ports: Ports): Record<string, string> {
  return Object.fromEntries(
    Object.entries(ports).map((
      [name, port],
    ) => [name, contractsOf(port)[0]!.includes("@") ? `${name}.arrow` : name]),
  );
}
