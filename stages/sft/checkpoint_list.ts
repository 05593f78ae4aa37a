/** Models on the way, one directory each, named by the number of updates before it. @module */
import { join } from "node:path";
import { linkTree, publishDirectory } from "@/lib/files/publish.ts";

/** Checkpoints of a training, in a place that outlives a stop. */
export class CheckpointList {
  readonly #directory: string;

  /** @param home a directory, made where it is needed; checkpoints of the same training may be there already */
  constructor(readonly home: string) {
    this.#directory = join(home, "checkpoints");
  }

  /** Keeps the model after `updates` updates; `write` fills its directory. */
  add(updates: number, write: (directory: string) => void): Promise<void> {
    return publishDirectory(join(this.#directory, String(updates).padStart(6, "0")), write);
  }

  /**
   * Puts all checkpoints at `path` as second names of the same files: whoever is killed after this and begins again
   * still finds the first ones.
   * @param isLast removes `home` afterwards
   */
  async publish(path: string, isLast: boolean): Promise<void> {
    await publishDirectory(path, (to) => {
      for (const model of entries(this.#directory)) {
        linkTree(join(this.#directory, model), join(to, model));
      }
    });
    if (isLast) Deno.removeSync(this.home, { recursive: true });
  }
}

/** Names in a directory, in order; a leftover of a write that was killed begins with a dot. */
function entries(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => !name.startsWith("."))
      .sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return []; // no checkpoint was due
    throw error;
  }
}
