/**
 * Lists the models of a list port. Each of its paths is a model directory, or a directory whose subdirectories are
 * models (contract `models`), such as intermediate checkpoints. In: paths. Out: models with names.
 * @module
 */
import { join } from "node:path";
import { readError } from "@/lib/data/files/file_errors.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { isFile, isMissing } from "@/lib/data/files/paths.ts";

/** One of the models of a port. */
export interface NamedModel {
  /** name in messages and reports: `members[0]`, or `checkpoints[0]/000063` of a directory of models */
  readonly name: string;
  readonly path: string;
}

/** Files that distinguish a model directory from a directory of models; an adapter has its base below it. */
const CONFIGS = ["config.json", "adapter_config.json"];

/**
 * Returns the models at `paths`, those of a directory of models in the order of their names, numbers in them by value.
 * A directory without subdirectories counts as a model: reading it reports what is missing.
 * @throws {DataError} listing empty directories, and subdirectories that are no models
 */
export function listModels(port: string, paths: readonly string[]): NamedModel[] {
  const problems: string[] = [];
  const models = paths.flatMap((path, i): NamedModel[] => {
    const name = `${port}[${i}]`, entries = isModel(path) ? undefined : read(path);
    if (entries?.length === 0) problems.push(`${name} ${path} is empty`);
    const folders = entries?.filter((entry) => entry.isDirectory).map((entry) => entry.name) ?? [];
    if (folders.length === 0) return [{ name, path }];
    const bad = folders.filter((folder) => !isModel(join(path, folder)));
    for (const folder of bad) problems.push(`${name}/${folder} has no config.json`);
    return folders.sort(inOrder).map((folder) => ({ name: `${name}/${folder}`, path: join(path, folder) }));
  });
  if (problems.length === 0) return models;
  const [file] = paths;
  throw new DataError(
    `${port} requires models or directories of models: ${problems.join("; ")}`,
    file === undefined ? {} : { file },
  );
}

/** `checkpoint-200` before `checkpoint-1000`. */
const inOrder = new Intl.Collator("en", { numeric: true }).compare;

function isModel(path: string): boolean {
  return CONFIGS.some((name) => isFile(join(path, name)));
}

/** Returns the entries of a directory without those whose names begin with a dot; undefined if it is not a directory. */
function read(path: string): { readonly name: string; readonly isDirectory: boolean }[] | undefined {
  try {
    return [...Deno.readDirSync(path)].filter(({ name }) => !name.startsWith("."))
      .map(({ name }) => ({ name, isDirectory: Deno.statSync(join(path, name)).isDirectory }));
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw readError(path, cause);
  }
}
