/**
 * Digests of the files that a user gives, with a memo in the store so that a large checkpoint is read once and not at
 * every run. An entry holds while size, modification time and inode of every file stay what they were.
 * @module
 */
import { join } from "node:path";
import { fileSet } from "@/lib/files/file_pattern.ts";
import { publishFile } from "@/lib/files/publish.ts";
import { readTree, type Tree, within } from "./tree.ts";

/** Gives the digest of what lies at `path`; `save` keeps what was learnt for the next run. */
export interface InputDigests {
  readonly tree: (path: string) => Tree;
  readonly save: () => Promise<void>;
}

interface Entry {
  readonly stamps: Readonly<Record<string, string>>;
  readonly tree: Tree;
}

/** Opens the memo in the store at `storeDir`. A memo that cannot be read is an empty one. */
export function openInputDigests(storeDir: string): InputDigests {
  const file = join(storeDir, "input_digests.json");
  let entries: Record<string, Entry> = {};
  try {
    entries = JSON.parse(Deno.readTextFileSync(file)) as Record<string, Entry>;
  } catch {
    // First run in this store, or a memo of an unfinished write: digests are taken anew.
  }
  let changed = false;
  return {
    tree(path: string): Tree {
      const known = entries[path];
      if (known?.tree?.files && known.stamps && same(known.stamps, stampsOf(path))) return known.tree;
      const before = stampsOf(path), folder = fileSet(path)?.folder ?? path;
      const tree = readTree(path);
      // A file touched within the clock's tick of our reading could change again under the same stamp.
      if (
        same(before, stampsOf(path)) && Object.keys(before).every((name) => isSettled(within(folder, name)))
      ) {
        entries[path] = { stamps: before, tree };
        changed = true;
      }
      return tree;
    },
    async save(): Promise<void> {
      if (changed) {
        await publishFile(file, (temporary) => Deno.writeTextFile(temporary, JSON.stringify(entries)));
      }
      changed = false;
    },
  };
}

/**
 * Size, time and inode of every file below `path`, of those that it names in braces, or of the file `path` itself, under the
 * empty name.
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

function isSettled(path: string): boolean {
  const time = Deno.statSync(path).mtime?.getTime() ?? Date.now();
  return Date.now() - time > 2000;
}

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
