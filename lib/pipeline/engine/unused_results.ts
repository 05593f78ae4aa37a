/**
 * Finds and removes what is in a store and no kept run names: records, blobs, views, and checkpoints of stages.
 * @module
 */
import { join } from "node:path";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import type { ActionRecord } from "./action_record.ts";
import { digestsOf, type Store } from "./store.ts";
import { statOf } from "./tree.ts";

/** What a store could do without. */
export interface UnusedResults {
  readonly records: readonly ActionRecord[];
  /** paths of files and directories: blobs that only unused records name or none does, views, and checkpoints */
  readonly paths: readonly string[];
  /** of the blobs and checkpoints */
  readonly bytes: number;
}

/** Returns what `store` holds beside the results of the actions `kept` (keys). */
export function findUnused(store: Store, kept: ReadonlySet<string>): UnusedResults {
  const records = store.records();
  const used = new Set(
    records.filter(({ key }) => kept.has(key)).flatMap((record) =>
      digestsOf(record, Object.keys(record.outputs))
    ),
  );
  const known = new Set(records.map(({ key }) => key));
  const blobs = entriesOf(join(store.dir, "blobs")).flatMap(entriesOf).filter((path) =>
    !used.has(lastPart(path))
  );
  const views = entriesOf(join(store.dir, "views")).filter((path) => !kept.has(lastPart(path)));
  // The lock of an action, <key>.lock, stays: another run may be about to take it.
  const checkpoints = entriesOf(join(store.dir, "tmp")).filter((path) => {
    const key = lastPart(path);
    return statOf(path)?.isDirectory && (known.has(key) || !kept.has(key));
  });
  const unused = records.filter(({ key }) => !kept.has(key));
  return {
    records: unused,
    paths: [
      ...blobs,
      ...views,
      ...checkpoints,
      ...unused.map(({ key }) => join(store.dir, "actions", `${key}.json`)),
    ],
    bytes: [...blobs, ...checkpoints].reduce((sum, path) => sum + bytesOf(path), 0),
  };
}

/** Removes `unused`; records first, so that an interrupted removal leaves no record without its files. */
export function removeUnused({ paths }: UnusedResults): void {
  const isRecord = (path: string) => path.endsWith(".json");
  for (const path of paths.filter(isRecord)) removeIfThere(path);
  for (const path of paths.filter((path) => !isRecord(path))) removeIfThere(path);
}

function entriesOf(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => join(directory, name)).sort();
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function bytesOf(path: string): number {
  const info = statOf(path);
  if (!info) return 0;
  return info.isDirectory ? entriesOf(path).reduce((sum, inner) => sum + bytesOf(inner), 0) : info.size;
}
