/**
 * Finds the stages: one per directory of `stages/`, exported as `stage` from its main.ts, imported on demand.
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Stage } from "@/lib/data/contracts/stage.ts";
import type { StageSource } from "@/lib/pipeline/engine/blueprint.ts";
import { suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { projectRoot } from "./project_root.ts";

export { projectRoot };

/** Returns the stages in `folder` (absolute). */
export function stagesIn(folder: string): StageSource {
  const program = (id: string) => join(folder, id, "main.ts");

  async function list(): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const entry of Deno.readDir(folder)) {
      if (!entry.isDirectory) continue;
      // A directory without main.ts is unfinished work, not a stage.
      const isStage = await Deno.stat(program(entry.name)).then((info) => info.isFile, () => false);
      if (isStage) ids.push(entry.name);
    }
    return ids.sort();
  }

  async function load(id: string): Promise<Stage> {
    const known = await list();
    if (!known.includes(id)) {
      throw new UsageError(
        `Unknown stage "${id}"${suggestion(id, known)}`,
      );
    }
    const { stage } = await import(pathToFileURL(program(id)).href) as { stage?: Stage };
    if (stage?.id !== id) {
      throw new TypeError(
        `stages/${id}/main.ts must export a stage with id "${id}", got ${stage?.id ?? "no stage"}`,
      );
    }
    return stage;
  }

  return { list, load, program };
}

/** The stages of this project. */
export const stages: StageSource = stagesIn(join(projectRoot, "stages"));
