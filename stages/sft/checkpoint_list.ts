/** Intermediate checkpoints, one directory each, named by the number of updates. @module */
import { isMissing } from "@/lib/data/files/paths.ts";
import { join } from "node:path";
import { linkTree, publishDirectory } from "@/lib/data/files/publish.ts";

/** Checkpoints of a training, in a directory that outlives an interruption. */
export class CheckpointList {
  readonly #directory: string;

  /** @param home a directory, created if needed; it may contain checkpoints of the same training already */
  constructor(readonly home: string) {
    this.#directory = join(home, "checkpoints");
  }

  /** Saves the model after `updates` updates; `write` fills its directory. */
  add(updates: number, write: (directory: string) => void): Promise<void> {
    return publishDirectory(join(this.#directory, String(updates).padStart(6, "0")), write);
  }

  /**
   * Publishes all checkpoints at `path` as hard links to the same files, so that a run that is killed afterwards and restarted
   * still has them.
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

/** Returns the names in a directory, in order, without those of unfinished writes, which begin with a dot. */
function entries(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).filter((name) => !name.startsWith("."))
      .sort();
  } catch (error) {
    if (isMissing(error)) return []; // no checkpoint was due
    throw error;
  }
}
