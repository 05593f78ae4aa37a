/**
 * Frozen weights, once in memory however many models stand on them: base, SFT model and policy of a run are one
 * checkpoint with different adapters.
 * @module
 */
import { basename, join } from "node:path";
import { openCheckpointFiles } from "@/lib/files/checkpoint_files.ts";
import { digestBytes, digestFile } from "@/lib/files/digest.ts";
import { readConfig } from "./config.ts";
import { type LoadedModel, loadPlainModel } from "./plain_checkpoint.ts";

const SINGLE = "model.safetensors";

/** Models that somebody still holds, by the digest of their files. */
const held = new Map<string, WeakRef<LoadedModel["parameters"]>>();

/** Digests of files that were read, by what tells whether a file has changed. */
const digests = new Map<string, string>();

/**
 * The files that config and weights of a model directory are made of.
 * @throws {DataError} if the weights cannot be opened
 */
export function checkpointFiles(directory: string): string[] {
  using files = openCheckpointFiles(directory);
  const shards = new Set(files.names.map((name) => basename(files.path(name))));
  const index = shards.has(SINGLE) ? [] : [`${SINGLE}.index.json`];
  return ["config.json", ...index, ...[...shards].sort()];
}

/**
 * The plain model of a directory, whose weights nobody may write to: they are those of every other model with the same
 * files. They leave memory with the last model that has them.
 * @throws {DataError} as `loadPlainModel()`
 */
export function sharedModel(directory: string): LoadedModel {
  readConfig(directory); // its message is better than that of a digest
  const lines = checkpointFiles(directory).map((name) => `${digestOf(join(directory, name))}  ${name}\n`);
  const key = digestBytes(lines.join("")), known = held.get(key)?.deref();
  const loaded = loadPlainModel(directory, { known });
  held.set(key, new WeakRef(loaded.parameters));
  for (const [other, reference] of held) if (!reference.deref()) held.delete(other);
  return loaded;
}

/** A file's digest. Files are published whole and never written to again, so place, size and time tell one from another. */
function digestOf(path: string): string {
  const { dev, ino, size, mtime } = Deno.statSync(path);
  const key = `${dev}:${ino ?? path}:${size}:${mtime?.getTime()}`;
  let digest = digests.get(key);
  if (digest === undefined) digests.set(key, digest = digestFile(path));
  return digest;
}
