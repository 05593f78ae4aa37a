/** Runs every stage in its own process on this machine. @module */
import { dirname, join } from "node:path";
import { childCommand } from "@/lib/data/files/child_command.ts";
import type { StageSource } from "@/lib/pipeline/engine/blueprint.ts";
import type { Executor } from "@/lib/pipeline/engine/task.ts";
import { followWorker } from "./attached_worker.ts";
import { attemptOf, taskEnvironment, workerArguments } from "./worker_command.ts";

/** Where the code of the processes is, and what they get. */
export interface ProcessOptions {
  readonly stages: StageSource;
  /** folder of deno.json */
  readonly root: string;
  /** names of environment variables that the processes get beside the base list */
  readonly keepEnv?: readonly string[];
  /** aborted when all processes must end at once */
  readonly kill?: AbortSignal;
}

/** Returns an executor that starts `deno run` for each task. */
export function processExecutor(options: ProcessOptions): Executor {
  return {
    name: "process",
    parallel: true,
    sharesMemory: false,
    async run(task, control) {
      const taskFile = join(dirname(attemptOf(task)), "task.json");
      await Deno.writeTextFile(taskFile, JSON.stringify(task));
      const child = childCommand(Deno.execPath(), workerArguments(task, taskFile, options), {
        keep: [...(options.keepEnv ?? []), ...taskEnvironment(task)],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      await followWorker(child, task, control, options.kill ? { kill: options.kill } : {});
    },
  };
}
