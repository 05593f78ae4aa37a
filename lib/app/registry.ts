/**
 * Finds the stages: one per folder of `stages/`, exported as `stage` from its main.ts, imported when asked for.
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Stage } from "@/lib/contracts/stage.ts";
import type { StageSource } from "@/lib/pipeline/blueprint.ts";
import { suggestion } from "@/lib/pipeline/suggest.ts";
import { UsageError } from "@/lib/tensor/errors.ts";
import { projectRoot } from "./project_root.ts";

export { projectRoot };

/** The stages in `folder` (absolute). */
export function stagesIn(folder: string): StageSource {
  const program = (id: string) => join(folder, id, "main.ts");

  async function list(): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const entry of Deno.readDir(folder)) {
      if (!entry.isDirectory) continue;
      // A folder without a program is work in progress, not a stage.
      const isStage = await Deno.stat(program(entry.name)).then((info) => info.isFile, () => false);
      if (isStage) ids.push(entry.name);
    }
    return ids.sort();
  }

  async function load(id: string): Promise<Stage> {
    const known = await list();
    if (!known.includes(id)) {
      throw new UsageError(
        `Cannot load stage "${id}" as it must be one of the stages${suggestion(id, known)}`,
      );
    }
    const { stage } = await import(pathToFileURL(program(id)).href) as { stage?: Stage };
    if (stage?.id !== id) {
      throw new TypeError(
        `Cannot load stage "${id}" as its main.ts must export a stage of that id: it is ${
          stage?.id ?? "not there"
        }`,
      );
    }
    return stage;
  }

  return { list, load, program };
}

/** The stages of this project. */
export const stages: StageSource = stagesIn(join(projectRoot, "stages"));

/** Ids of all stages, sorted. */
export function listStages(): Promise<string[]> {
  return stages.list().then((ids) => [...ids]);
}

/** The stage `id`. @throws {UsageError} if there is none, with the nearest name */
export function loadStage(id: string): Promise<Stage> {
  return stages.load(id);
}
