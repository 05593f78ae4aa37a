/** What crosses to a device from one iteration of a pipeline to the next. @module */
import { stages } from "@/lib/app/registry.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { addDevice } from "@/lib/compute/devices/devices.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import { openCodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { runPipeline } from "@/lib/pipeline/engine/run.ts";
import { applySettings, parseSettings } from "@/lib/pipeline/engine/settings.ts";
import { inlineExecutor } from "@/lib/pipeline/engine/task.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { TINY_SETTINGS } from "./compare_stages.ts";

/**
 * Runs the small pipeline in this process at a place.
 * @param more settings of the pipeline
 * @returns bytes that were uploaded during each stage of the loop, by stage and iteration
 */
export async function uploadsByStage(
  place: Place,
  more: readonly string[] = [],
): Promise<Readonly<Record<string, number>>> {
  using directory = new TemporaryDirectory();
  addDevice(place);
  const source = await readManifest("pipelines/quickstart.yaml", "quickstart");
  const settings = [...TINY_SETTINGS, "ppo.count=3", ...more];
  const manifest = applySettings(source.manifest, parseSettings(settings));
  const inputs = resolveInputs(manifest, {}, { root: projectRoot, workingDirectory: projectRoot });
  const blueprint = await makeBlueprint({ ...source, manifest }, stages, { inputs });
  const uploads: Record<string, number> = {};
  let before = 0;
  await runPipeline(blueprint, {
    stages,
    code: openCodeDigests(projectRoot),
    executor: inlineExecutor(stages),
    runDir: directory.file("run"),
    storeDir: directory.file("store"),
    threads: navigator.hardwareConcurrency,
    device: place.provider.device,
    listener(event) {
      const { uploaded } = place.traffic();
      if (event.type === "stage_finished") {
        uploads[`${event.stage}[${event.iteration ?? 0}]`] = uploaded - before;
      }
      if (event.type === "stage_started" || event.type === "stage_finished") before = uploaded;
    },
  });
  return uploads;
}
