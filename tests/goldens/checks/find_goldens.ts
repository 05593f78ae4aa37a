/**
 * Finds goldens by their content: a directory is one golden, or holds others. Nothing is skipped: what is no golden is
 * returned as `unknown`.
 * @module
 */
import { checkRegular } from "@/lib/data/files/whole_file.ts";
import { exists } from "@/lib/data/files/paths.ts";
import { basename, dirname, join, resolve } from "node:path";
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { GOLDEN_KINDS, type GoldenKind } from "./golden_kinds.ts";

/** Something to check. */
export interface Golden {
  readonly kind: GoldenKind;
  /** a directory, or the file of a topic */
  readonly path: string;
  /** the last two parts of its path, as reports show it */
  readonly name: string;
}

/**
 * Returns all goldens at or below a path, sorted by name.
 * @throws {DataError} if the path does not exist, or is not and does not hold a golden
 */
export function findGoldens(path: string): Golden[] {
  const found = search(path);
  if (found.every(({ kind }) => kind === "unknown")) {
    const titles = Object.values(GOLDEN_KINDS).map(({ title }) => title).join(", ");
    const content = isFile(path)
      ? "no topic"
      : listed(namesIn(path), { most: 6, separator: ", " }) || "nothing";
    throw new DataError(
      `${path} must be a golden (${titles}) or a directory of goldens, got ${content}`,
      {
        file: path,
      },
    );
  }
  return found;
}

function search(path: string): Golden[] {
  if (!exists(path)) throw new DataError(`${path}: no such file or directory`, { file: path });
  checkRegular(path);
  if (isFile(path)) return [goldenAt(isTopic(path) ? "ppo" : "unknown", path)];
  const kind = kindOf(path);
  if (kind !== undefined) return [goldenAt(kind, path)];
  const entries = entriesOf(path);
  const topics = entries.filter(({ name, isFile }) => isFile && name.endsWith(".json"));
  const below = [...topics, ...entries.filter(({ isDirectory }) => isDirectory)];
  if (below.length === 0) return [goldenAt("unknown", path)];
  return below.flatMap(({ name }) => search(join(path, name)));
}

/** Returns what a directory is by its entries; undefined if it is no golden or holds several. */
function kindOf(directory: string): GoldenKind | undefined {
  const has = (...names: readonly string[]) => names.every((name) => exists(join(directory, name)));
  for (const [kind, { entries }] of Object.entries(GOLDEN_KINDS)) {
    if (entries.length > 0 && has(...entries)) return kind as GoldenKind;
  }
  const isAdapters = has("base") && namesIn(directory).some((name) => has(join(name, "adapter_config.json")));
  return isAdapters ? "lora" : undefined;
}

function goldenAt(kind: GoldenKind, path: string): Golden {
  const full = resolve(path);
  return { kind, path, name: join(basename(dirname(full)), basename(full, ".json")) };
}

function isTopic(path: string): boolean {
  if (!path.endsWith(".json")) return false;
  try {
    const json: unknown = JSON.parse(Deno.readTextFileSync(path));
    return isJsonObject(json) && "topic" in json && "cases" in json;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function entriesOf(directory: string): Deno.DirEntry[] {
  return [...Deno.readDirSync(directory)].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namesIn(directory: string): string[] {
  return entriesOf(directory).map(({ name }) => name);
}

function isFile(path: string): boolean {
  return Deno.statSync(path).isFile;
}
