/**
 * Model hand-over: large files of a run in memory, by digest. These are all the rules:
 *
 * - **Give.** A stage that runs in the driver's process gives the arrays of a file of an output port with `handedOver` to
 *   `HandOver.give()`. Afterwards nobody writes to these arrays. The result says whether the stage must write the file as
 *   well: always, except in iterations that a loop with `publish: N` does not publish (`writtenAtOnce()`).
 * - **Take in.** `Store.commit()` adds the content by its digest when the stage has ended, marked `only` if the store does
 *   not hold it.
 * - **Borrow.** `Store.view()` binds the paths of a view to digests. A stage with a `handedOver` input reads a path with
 *   `HandOver.taken()`; it copies the bytes or only reads them, and never owns them.
 * - **Release.** A stage that has read a directory which no other is likely to read calls `HandOver.release()`: files that
 *   the store holds as well leave memory.
 * - **Evict.** Files that the store holds as well leave, the least recently used first, when all files take more than a
 *   quarter of the memory that was free when the run began. Files marked `only` are never evicted.
 * - **Publish.** Files marked `only` are written (`Store.publish()`) when a stage or an output needs them on disk
 *   (`Maker.ensure()`), for the best iterations together with the next one that is published, and for the latest
 *   iteration when the loop ends, the run is interrupted or a stage fails (`Pruner.publishLatest()`).
 * - **Drop.** Files marked `only` of an iteration that nothing will read any more are dropped (`Store.forget()`, called by
 *   the pruner). Their record stays; if they are needed later, the action runs again.
 *
 * With the executor `process` there is no hand-over: every file is written and read from disk.
 * @module
 */
import { dirname, join } from "node:path";
import type { FileContent } from "@/lib/data/files/hand_over.ts";

/** Share of the free memory for files that the store holds as well: training takes several times as much beside it. */
const KEPT_SHARE = 0.25;

interface Entry {
  readonly content: FileContent;
  /** whether the store does not hold it */
  only: boolean;
}

/** Files by digest, and the paths at which stages look for them. */
export class MemoryFiles {
  readonly #files = new Map<string, Entry>();
  readonly #paths = new Map<string, string>();

  /** @param keptBytes limit for files that the store holds as well */
  constructor(readonly keptBytes = KEPT_SHARE * Deno.systemMemoryInfo().available) {}

  /** Returns the content with this digest, if it is in memory. */
  get(digest: string): FileContent | undefined {
    return this.#files.get(digest)?.content;
  }

  /** Adds a file. @param only true: the store does not hold it */
  add(digest: string, content: FileContent, only: boolean): void {
    const known = this.#files.get(digest);
    this.#files.delete(digest); // put back last: a Map keeps the order of insertion
    this.#files.set(digest, { content: known?.content ?? content, only: only && (known?.only ?? true) });
    this.#makeRoom();
  }

  /** Marks a file as stored, so that it may be evicted. */
  stored(digest: string): void {
    const entry = this.#files.get(digest);
    if (entry) entry.only = false;
    this.#makeRoom();
  }

  /** Drops a file and the paths bound to it. */
  drop(digest: string): void {
    this.#files.delete(digest);
    for (const [path, bound] of this.#paths) if (bound === digest) this.#paths.delete(path);
  }

  /** Binds the path of a view to a file in memory. */
  bind(path: string, digest: string): void {
    if (this.#files.has(digest)) this.#paths.set(path, digest);
  }

  /** Returns the file that a path is bound to, and marks it as used. */
  at(path: string): FileContent | undefined {
    const digest = this.#paths.get(path), entry = digest === undefined ? undefined : this.#files.get(digest);
    if (!entry) return undefined;
    this.#files.delete(digest!);
    this.#files.set(digest!, entry);
    return entry.content;
  }

  /** Returns the names of the files that paths in `directory` are bound to. */
  names(directory: string): string[] {
    return [...this.#paths.keys()].filter((path) => dirname(path) === directory)
      .map((path) => path.slice(directory.length + 1)).sort();
  }

  /** Drops the files of `directory` that the store holds as well. */
  release(directory: string): void {
    for (const name of this.names(directory)) {
      const digest = this.#paths.get(join(directory, name))!;
      if (this.#files.get(digest)?.only === false) this.drop(digest);
    }
  }

  /** Bytes of all files in memory. */
  get bytes(): number {
    return [...this.#files.values()].reduce((sum, { content }) => sum + content.size, 0);
  }

  #makeRoom(): void {
    let bytes = this.bytes;
    for (const [digest, { content, only }] of [...this.#files]) {
      if (bytes <= this.keptBytes) return;
      if (only) continue;
      this.drop(digest);
      bytes -= content.size;
    }
  }
}
