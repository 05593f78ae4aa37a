/** Runs stages in the process of the driver, one at a time. @module */
import type { StageSource } from "./blueprint.ts";
import { type Executor, runTask } from "./task.ts";

/** The default executor. */
export function inlineExecutor(stages: StageSource): Executor {
  return {
    name: "inline",
    parallel: false,
    sharesMemory: true,
    async run(task, control): Promise<void> {
      await Deno.mkdir(task.scratch!, { recursive: true });
      await runTask(await stages.load(task.stage), task, control);
    },
  };
}
