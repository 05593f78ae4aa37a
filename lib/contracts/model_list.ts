/**
 * Models that a list port is given. Each of its paths is a model directory, or a directory whose subdirectories are
 * models (contract `models`), such as the checkpoints of a training. In: paths. Out: models with names.
 * @module
 */
import { join } from "node:path";
import { readError } from "@/lib/files/file_errors.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** One of the models of a port. */
export interface NamedModel {
  /** what messages and reports call it: `members[0]`, or `checkpoints[0]/000063` of a directory of models */
  readonly name: string;
  readonly path: string;
}

/** What tells a model directory from a directory of models; an adapter has its base below it. */
const CONFIGS = ["config.json", "adapter_config.json"];

/**
 * The models at `paths`, those of a directory of models in the order of their names, numbers in them by value.
 * A directory without subdirectories is taken for a model: whoever reads it says what it lacks.
 * @throws {DataError} listing directories that hold nothing, and subdirectories that are no models
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
    `Cannot read ${port} as each must be a model or a directory of models: ${problems.join("; ")}`,
    file === undefined ? {} : { file },
  );
}

/** `checkpoint-200` before `checkpoint-1000`. */
const inOrder = new Intl.Collator("en", { numeric: true }).compare;

function isModel(path: string): boolean {
  return CONFIGS.some((name) => {
    try {
      return Deno.statSync(join(path, name)).isFile;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return false;
      throw readError(path, cause);
    }
  });
}

/** What lies in a directory; names that begin with a dot are nobody's models. Nothing is known of what is none. */
function read(path: string): { readonly name: string; readonly isDirectory: boolean }[] | undefined {
  try {
    return [...Deno.readDirSync(path)].filter(({ name }) => !name.startsWith("."))
      .map(({ name }) => ({ name, isDirectory: Deno.statSync(join(path, name)).isDirectory }));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory) return undefined;
    throw readError(path, cause);
  }
}
