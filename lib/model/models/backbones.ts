/**
 * Frozen weights that several models share in memory: base, SFT model and policy of a run may be one checkpoint with
 * different adapters.
 * @module
 */
import { basename, join } from "node:path";
import { openCheckpointFiles } from "@/lib/data/files/checkpoint_files.ts";
import { digestBytes, digestFile } from "@/lib/data/files/digest.ts";
import { readConfig } from "./config.ts";
import { type LoadedModel, loadPlainModel } from "./plain_checkpoint.ts";

const SINGLE = "model.safetensors";

/** Weights that are still referenced, by the digest of their files. */
const shared = new Map<string, WeakRef<LoadedModel["parameters"]>>();

/** Digests of files, by place, size and time of change. */
const digests = new Map<string, string>();

/**
 * Returns the names of the files with config and weights of a model directory.
 * @throws {DataError} if the weights cannot be opened
 */
export function checkpointFiles(directory: string): string[] {
  using files = openCheckpointFiles(directory);
  const shards = new Set(files.names.map((name) => basename(files.path(name))));
  const index = shards.has(SINGLE) ? [] : [`${SINGLE}.index.json`];
  return ["config.json", ...index, ...[...shards].sort()];
}

/**
 * Reads a plain model whose weights are read-only: all models with the same files share them. They leave memory with
 * the last model that uses them.
 * @throws {DataError} as `loadPlainModel()`
 */
export function sharedModel(directory: string): LoadedModel {
  readConfig(directory); // fails with a better message than a digest
  const lines = checkpointFiles(directory).map((name) => `${digestOf(join(directory, name))}  ${name}\n`);
  const key = digestBytes(lines.join("")), known = shared.get(key)?.deref();
  const loaded = loadPlainModel(directory, { known });
  shared.set(key, new WeakRef(loaded.parameters));
  for (const [other, reference] of shared) if (!reference.deref()) shared.delete(other);
  return loaded;
}

/** Returns a file's digest. Published files do not change, so place, size and time identify one. */
function digestOf(path: string): string {
  const { dev, ino, size, mtime } = Deno.statSync(path);
  const key = `${dev}:${ino ?? path}:${size}:${mtime?.getTime()}`;
  let digest = digests.get(key);
  if (digest === undefined) digests.set(key, digest = digestFile(path));
  return digest;
}
