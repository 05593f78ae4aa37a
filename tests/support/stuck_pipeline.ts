/**
 * A pipeline of one stage that never yields, started as `deno task pipeline` starts its own: this module relaunches itself
 * with permissions and signals as the launcher does. It prints the process id of the pipeline and of the stage. Arguments: run
 * directory, executor, grace period in seconds.
 * @module
 */
import { join } from "node:path";
import { endWithParent } from "@/lib/app/parent.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { relaunch } from "@/lib/app/relaunch.ts";
import { stopOnSignals } from "@/lib/app/stopping.ts";
import { exitCodeOf } from "@/lib/compute/tensor/errors.ts";
import { childPrograms } from "@/lib/data/files/child_command.ts";
import { BASE_ENVIRONMENT } from "@/lib/data/files/kept_environment.ts";
import { parseManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { processExecutor } from "@/lib/pipeline/executors/process_executor.ts";
import { runPipeline } from "@/lib/pipeline/engine/run.ts";
import { inlineExecutor } from "@/lib/pipeline/engine/task.ts";
import { toyCode, toyStages } from "@/tests/pipeline/toy.ts";

const [runDir, executor, seconds, launched] = Deno.args as [string, string, string, string?];
const grace = Number(seconds);
if (launched === undefined) {
  const permissions = {
    read: ["/"],
    write: [runDir],
    env: [...BASE_ENVIRONMENT, "LOG_TOKENS", "LOG_STREAM"],
    run: childPrograms(),
    sys: ["systemMemoryInfo", "statfs"],
    ffi: true,
  };
  const args = [...Deno.args, "launched"];
  Deno.exit(await relaunch(new URL(import.meta.url), args, permissions, { lifeline: true, grace }));
}
endWithParent();
const stop = stopOnSignals(grace);
try {
  const source = parseManifest(`stages: { stuck: { uses: never-yield } }\n`, "stuck.yaml");
  await runPipeline(await makeBlueprint(source, toyStages, { inputs: {} }), {
    stages: toyStages,
    code: toyCode,
    executor: executor === "process"
      ? processExecutor({ stages: toyStages, root: projectRoot, kill: stop.kill })
      : inlineExecutor(toyStages),
    runDir,
    storeDir: join(runDir, "store"),
    threads: 1,
    signal: stop.signal,
    listener: (event) => {
      if (event.type === "stage_progress") console.log(JSON.stringify([Deno.pid, event.fields?.pid]));
    },
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(exitCodeOf(error));
}
