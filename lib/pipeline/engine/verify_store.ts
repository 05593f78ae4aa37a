/**
 * `--verify`: hashes everything in a store, removes what is damaged, and drops every result that may have been made from it.
 * @module
 */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { join } from "node:path";
import { digestFile } from "@/lib/data/files/digest.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import type { ActionRecord } from "./action_record.ts";
import type { Store } from "./store.ts";
import { statOf, type Tree } from "./tree.ts";

/** What was wrong with a store. */
export interface Verified {
  /** names of damaged blobs, records and views, which were removed */
  readonly damaged: readonly string[];
  /** records that were removed as the damaged bytes may have gone into their outputs */
  readonly dropped: readonly ActionRecord[];
}

/**
 * Checks a store that no other run uses. The record of an action whose output is damaged stays: the action runs again if
 * something needs the output.
 */
export function verifyStore(store: Store): Verified {
  const damagedBlobs = removeDamagedBlobs(store);
  const damagedRecords = removeDamagedRecords(store);
  const dropped = madeFrom(new Set(damagedBlobs), store.records());
  store.drop(dropped);
  const damagedViews = store.records().flatMap((record) => store.removeDamagedViews(record));
  return { damaged: [...damagedBlobs, ...damagedRecords, ...damagedViews].sort(), dropped };
}

/** Returns what `--verify` says, as lines. */
export function verifiedText({ damaged, dropped }: Verified): string {
  if (damaged.length === 0) return "The store is undamaged";
  const lines = [`Damaged entries deleted from the store: ${listed(damaged)}`];
  if (dropped.length > 0) {
    const names = dropped.map(({ key, parts }) => `${parts.stage} ${key.slice(0, 8)}`);
    lines.push(
      `Results that may have been made from them are deleted and will be made again: ${listed(names)}`,
    );
  }
  return lines.join("\n");
}

function removeDamagedBlobs({ dir }: Store): string[] {
  const damaged: string[] = [];
  for (const folder of Deno.readDirSync(join(dir, "blobs"))) {
    for (const { name, isFile } of Deno.readDirSync(join(dir, "blobs", folder.name))) {
      const path = join(dir, "blobs", folder.name, name);
      if (isFile && digestFile(path) === name) continue;
      removeIfThere(path);
      damaged.push(name);
    }
  }
  return damaged;
}

function removeDamagedRecords(store: Store): string[] {
  const damaged: string[] = [];
  for (const { name } of Deno.readDirSync(join(store.dir, "actions"))) {
    const key = /^([^.].*)\.json$/.exec(name)?.[1];
    const path = join(store.dir, "actions", name);
    if (key === undefined || statOf(path)?.isFile && store.get(key) !== undefined) continue;
    removeIfThere(path);
    damaged.push(name);
  }
  return damaged;
}

/** Returns the records whose inputs have damaged files, or are outputs of such records, and so on. */
function madeFrom(damaged: ReadonlySet<string>, records: readonly ActionRecord[]): ActionRecord[] {
  const isDamaged = (tree: Tree) => Object.values(tree.files).some(({ digest }) => damaged.has(digest));
  const readers = new Map<string, ActionRecord[]>();
  for (const record of records) {
    for (const digest of inputDigests(record)) {
      readers.set(digest, [...readers.get(digest) ?? [], record]);
    }
  }
  const suspect = records.flatMap(({ outputs }) => Object.values(outputs)).filter(isDamaged)
    .map(({ digest }) => digest);
  const dropped = new Set<ActionRecord>();
  for (let digest = suspect.pop(); digest !== undefined; digest = suspect.pop()) {
    for (const reader of readers.get(digest) ?? []) {
      if (dropped.has(reader)) continue;
      dropped.add(reader);
      append(suspect, Object.values(reader.outputs).map((tree) => tree.digest));
    }
  }
  return [...dropped];
}

function inputDigests({ parts }: ActionRecord): string[] {
  return Object.values(parts.inputs).flatMap((input) =>
    typeof input === "string" ? [input] : Object.values(input)
  );
}
