/**
 * Large files of a run in memory, by digest: what one stage gave away and the next reads. Those that the store holds as
 * well leave when they take too much, the least recently used ones first. Those that lie nowhere else, because a loop
 * publishes some of its rounds only, stay until they are published or dropped.
 * @module
 */
import { dirname, join } from "node:path";
import type { FileContent } from "@/lib/files/hand_over.ts";

/** A share of the memory that is free when a run begins: training takes several times as much beside it. */
const KEPT_SHARE = 0.25;

interface Entry {
  readonly content: FileContent;
  /** whether it lies nowhere but here */
  only: boolean;
}

/** Files by digest, and the paths at which stages look for them. */
export class MemoryFiles {
  readonly #files = new Map<string, Entry>();
  readonly #paths = new Map<string, string>();

  /** @param keptBytes that files may take which lie in the store as well */
  constructor(readonly keptBytes: number) {}

  /** The content with this digest, if it is here. */
  get(digest: string): FileContent | undefined {
    return this.#files.get(digest)?.content;
  }

  /** Takes a file in. @param only true: it lies nowhere else */
  add(digest: string, content: FileContent, only: boolean): void {
    const known = this.#files.get(digest);
    this.#files.delete(digest); // put back last: a Map keeps the order of insertion
    this.#files.set(digest, { content: known?.content ?? content, only: only && (known?.only ?? true) });
    this.#makeRoom();
  }

  /** The file is in the store now, so that it may leave. */
  stored(digest: string): void {
    const entry = this.#files.get(digest);
    if (entry) entry.only = false;
    this.#makeRoom();
  }

  /** Forgets a file. */
  drop(digest: string): void {
    this.#files.delete(digest);
    for (const [path, bound] of this.#paths) if (bound === digest) this.#paths.delete(path);
  }

  /** Lets the path of a view stand for a file. */
  bind(path: string, digest: string): void {
    if (this.#files.has(digest)) this.#paths.set(path, digest);
  }

  /** The file that a path stands for. */
  at(path: string): FileContent | undefined {
    const digest = this.#paths.get(path), entry = digest === undefined ? undefined : this.#files.get(digest);
    if (!entry) return undefined;
    this.#files.delete(digest!);
    this.#files.set(digest!, entry);
    return entry.content;
  }

  /** Names of the files that paths in `directory` stand for. */
  names(directory: string): string[] {
    return [...this.#paths.keys()].filter((path) => dirname(path) === directory)
      .map((path) => path.slice(directory.length + 1)).sort();
  }

  /** Forgets the files of `directory` that the store holds as well. */
  release(directory: string): void {
    for (const name of this.names(directory)) {
      const digest = this.#paths.get(join(directory, name))!;
      if (this.#files.get(digest)?.only === false) this.drop(digest);
    }
  }

  /** Bytes of all files here. */
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

/** Room for files of a run that begins now. */
export function memoryFiles(): MemoryFiles {
  return new MemoryFiles(KEPT_SHARE * Deno.systemMemoryInfo().available);
}
