/**
 * Runs the toy pipeline, or a manifest, as a program, for tests that kill it: folder, run directory, executor, pause in ms,
 * manifest.
 * @module
 */
import { join } from "node:path";
import { inlineExecutor } from "@/lib/pipeline/engine/task.ts";
import { resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import { parseManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { processExecutor } from "@/lib/pipeline/executors/process_executor.ts";
import { runPipeline } from "@/lib/pipeline/engine/run.ts";
import { applySettings, parseSettings } from "@/lib/pipeline/engine/settings.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { TOY, toyCode, toyStages } from "./toy.ts";

const [folder, runDir, executor, pause, text = TOY] = Deno.args as [string, string, string, string, string?];
const source = parseManifest(text, "toy.yaml");
const manifest = applySettings(
  source.manifest,
  parseSettings([`${text === TOY ? "loop.count" : "loop.grow"}.pause=${pause}`]),
);
const inputs = resolveInputs(manifest, {}, { root: folder, workingDirectory: folder });
const result = await runPipeline(await makeBlueprint({ ...source, manifest }, toyStages, { inputs }), {
  stages: toyStages,
  code: toyCode,
  executor: executor === "process"
    ? processExecutor({ stages: toyStages, root: projectRoot })
    : inlineExecutor(toyStages),
  runDir,
  storeDir: join(runDir, "store"),
  threads: 2,
});
const keys = result.nodes.map((node) => `${node.stage} ${node.index ?? node.iteration ?? ""} ${node.key}`)
  .sort();
console.log(JSON.stringify({ keys, outputs: result.outputs }));
