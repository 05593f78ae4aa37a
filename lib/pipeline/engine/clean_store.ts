/**
 * Removes what killed runs left: files and directories with temporary names, and the unfinished outputs of attempts. The
 * checkpoints of stages (scratch directories) are kept, as a run that is resumed reads them.
 * @module
 */
import { join } from "node:path";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import { tryLock } from "./file_lock.ts";
import type { Store } from "./store.ts";
import { statOf } from "./tree.ts";

const PARTIAL = /\.[0-9a-f]{8}\.partial$/;

/** Removes entries of `directory` with temporary names. */
export function removePartial(directory: string): void {
  for (const { name } of Deno.readDirSync(directory)) {
    if (PARTIAL.test(name)) removeIfThere(join(directory, name));
  }
}

/** Removes the leftovers of killed runs from a store that no other run uses. */
export function cleanStore(store: Store): void {
  removePartial(store.dir);
  removePartial(join(store.dir, "actions"));
  const views = join(store.dir, "views");
  for (const { name, isDirectory } of Deno.readDirSync(views)) {
    if (isDirectory) removePartial(join(views, name));
  }
  const attempts = join(store.dir, "tmp");
  for (const { name: key, isDirectory } of Deno.readDirSync(attempts)) {
    if (!isDirectory || isWorkedOn(store, key)) continue;
    for (const { name } of Deno.readDirSync(join(attempts, key))) {
      if (name.startsWith("try-")) removeIfThere(join(attempts, key, name));
    }
  }
}

/** Returns whether a stage still runs for an action: its process or its job may have outlived a killed run. */
function isWorkedOn(store: Store, key: string): boolean {
  if (statOf(join(store.dir, "tmp", key, "job.json")) !== undefined) return true;
  const path = `${store.lockFile(key)}.worker`;
  if (statOf(path) === undefined) return false;
  using lock = tryLock(path);
  return lock === undefined;
}
