/**
 * Digests of the user's input files, cached in the store so that a large checkpoint is not read at every run. An entry is
 * valid while size, modification time and inode of every file are unchanged.
 * @module
 */
import { isMissing } from "@/lib/data/files/paths.ts";
import { join } from "node:path";
import { digestJson } from "@/lib/data/files/digest.ts";
import { fileSet } from "@/lib/data/files/file_pattern.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { readTree, type Tree, within } from "./tree.ts";

interface Entry {
  readonly stamps: Readonly<Record<string, string>>;
  readonly tree: Tree;
}

/** Digests of input files, by path. */
export class InputDigests {
  readonly #file: string;
  readonly #entries: Record<string, Entry>;
  /** what this run has read, by path */
  readonly #seen = new Map<string, { stamps: Readonly<Record<string, string>>; readonly digest: string }>();
  #isChanged = false;

  /** Opens the cache in the store at `storeDir`. A cache that is damaged counts as empty. */
  constructor(storeDir: string) {
    this.#file = join(storeDir, "input_digests.json");
    try {
      const { check, entries } = JSON.parse(Deno.readTextFileSync(this.#file));
      this.#entries = check === digestJson(entries) ? entries as Record<string, Entry> : {};
    } catch {
      this.#entries = {};
    }
  }

  /** Returns the tree of the file or directory at `path`, from the cache if it is unchanged. */
  tree(path: string): Tree {
    const stamps = stampsOf(path), tree = this.#tree(path, stamps);
    if (!this.#seen.has(path)) this.#seen.set(path, { stamps, digest: tree.digest });
    return tree;
  }

  /** Returns whether `path` has the content for which this run called `tree()` first. Reads it only if its stamps changed. */
  isUnchanged(path: string): boolean {
    const seen = this.#seen.get(path);
    try {
      const stamps = stampsOf(path);
      if (!seen || isEqual(seen.stamps, stamps)) return true;
      if (readTree(path).digest !== seen.digest) return false;
      seen.stamps = stamps;
      return true;
    } catch (error) {
      // It was removed during the run.
      if (isMissing(error)) return false;
      throw error;
    }
  }

  #tree(path: string, before: Readonly<Record<string, string>>): Tree {
    const known = this.#entries[path];
    if (known?.tree?.files && known.stamps && isEqual(known.stamps, before)) return known.tree;
    const tree = readTree(path);
    // A file that was modified just before it was read could change again with the same stamp.
    const folder = fileSet(path)?.folder ?? path;
    const isSettled = Object.keys(before).every((name) => ageMs(within(folder, name)) > 2000);
    if (isSettled && isEqual(before, stampsOf(path))) {
      this.#entries[path] = { stamps: before, tree };
      this.#isChanged = true;
    }
    return tree;
  }

  /** Saves the cache for the next run. */
  async save(): Promise<void> {
    if (!this.#isChanged) return;
    const text = JSON.stringify({ check: digestJson(this.#entries), entries: this.#entries });
    await publishFile(this.#file, (temporary) => Deno.writeTextFile(temporary, text));
    this.#isChanged = false;
  }
}

/**
 * Returns size, times and inode of every file below `path`, of those that it names in braces, or of the file `path` itself
 * under the empty name.
 */
function stampsOf(path: string): Record<string, string> {
  const set = fileSet(path);
  if (set !== undefined) {
    return Object.fromEntries(set.names.map((name) => [name, stamp(Deno.statSync(join(set.folder, name)))]));
  }
  const info = Deno.statSync(path);
  if (!info.isDirectory) return { "": stamp(info) };
  const stamps: Record<string, string> = {};
  const visit = (folder: string, prefix: string) => {
    for (const entry of Deno.readDirSync(folder)) {
      const child = join(folder, entry.name);
      if (entry.name.startsWith(".")) continue;
      const info = Deno.statSync(child);
      if (info.isDirectory) visit(child, `${prefix}${entry.name}/`);
      else stamps[`${prefix}${entry.name}`] = stamp(info);
    }
  };
  visit(path, "");
  return stamps;
}

function stamp(info: Deno.FileInfo): string {
  return `${info.size} ${info.mtime?.getTime() ?? 0} ${info.ctime?.getTime() ?? 0} ${info.ino ?? 0}`;
}

function ageMs(path: string): number {
  return Date.now() - (Deno.statSync(path).mtime?.getTime() ?? Date.now());
}

function isEqual(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
