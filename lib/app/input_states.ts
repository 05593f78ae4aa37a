/**
 * What an input of a request consists of: path, size and modification time of every file. Links that lead outside the data
 * root and entries that are neither files nor directories are refused: a stage that reads them would read other files of
 * the machine, or never end.
 * @module
 */
import { join, relative } from "node:path";
import { reasonOf } from "@/lib/data/files/file_errors.ts";
import { namedPaths } from "@/lib/data/files/file_pattern.ts";
import { isMissing } from "@/lib/data/files/paths.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { type DataRoot, isOutside } from "./data_root.ts";

/** Limit of the entries of all inputs of a request. */
const MAX_ENTRIES = 100_000;

/** A walk through the inputs of one request. */
export class InputWalk {
  /** entries that are refused, each as `"path" reason` */
  readonly problems: string[] = [];
  #entries = 0;

  constructor(readonly root: DataRoot) {}

  /**
   * Returns the state of the file or directory at `path`, or of all files that it names in braces. Directories that were
   * visited on the way are not entered again, as links may form a cycle.
   * @throws {UsageError} if the request has too many files
   */
  *stateOf(path: string, above: readonly string[] = []): Generator<void, unknown[]> {
    if (++this.#entries > MAX_ENTRIES) {
      throw new UsageError(`Inputs of a request must have at most ${MAX_ENTRIES} files, got more`);
    }
    yield;
    const paths = above.length === 0 ? namedPaths(path) : [path];
    if (paths.length > 1) {
      const states: unknown[] = [];
      for (const each of paths) states.push(yield* this.stateOf(each));
      return [path, states];
    }
    const real = this.#target(path);
    if (real === undefined) return [path];
    const { isDirectory, isFile, size, mtime } = Deno.statSync(real);
    if (isFile) return [path, size, mtime?.getTime() ?? 0];
    if (!isDirectory) return this.#refuse(path, "is neither a file nor a directory");
    if (above.includes(real)) return [path];
    const states: unknown[] = [];
    for (const name of [...Deno.readDirSync(path)].map((entry) => entry.name).sort()) {
      states.push(yield* this.stateOf(join(path, name), [...above, real]));
    }
    return [path, states];
  }

  /** Returns where `path` leads, if that is within the data root. */
  #target(path: string): string | undefined {
    try {
      const real = Deno.realPathSync(path);
      if (!isOutside(relative(this.root.path, real))) return real;
      this.#refuse(path, "is a link that leads outside the data root");
    } catch (cause) {
      this.#refuse(path, isMissing(cause) ? "is a link to nothing" : `is not readable (${reasonOf(cause)})`);
    }
  }

  #refuse(path: string, reason: string): unknown[] {
    this.problems.push(`"${relative(this.root.path, path)}" ${reason}`);
    return [path];
  }
}
