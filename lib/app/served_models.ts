/** The models that a server offers: names, directories, and the memory that each takes when it is loaded. @module */
import { basename, join, resolve } from "node:path";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { readModel } from "@/lib/model/models/checkpoint.ts";
import { baseDirectoryOf, isAdapterDirectory } from "@/lib/model/models/lora/adapter_directory.ts";
import { engineBytes } from "@/lib/model/serve/engine_memory.ts";
import { textDirectory } from "@/lib/model/serve/text_directory.ts";
import { spellBytes } from "./machine.ts";

/** A model by the name that requests use. */
export interface ModelPlace {
  readonly name: string;
  /** absolute path */
  readonly directory: string;
}

/** A model that can be loaded. */
export interface ServedModel extends ModelPlace {
  /** most memory that it takes */
  readonly bytes: number;
  /** most tokens of prompt and response */
  readonly tokens: number;
  /** what its process must read */
  readonly read: readonly string[];
}

/** Limits of every model. */
export interface ModelLimits {
  readonly slots: number;
  readonly tokens: number;
  /** bound of all loaded models together */
  readonly memoryBytes: number;
}

/** Names as in Hugging Face: letters, digits and a few signs. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/;

/**
 * Reads values of `--model`: NAME=DIR, or DIR, whose last part is the name.
 * @param cwd directory of relative paths
 * @returns the models, and what is wrong with the values
 */
export function readModelPlaces(
  values: readonly string[],
  cwd: string,
): { readonly models: readonly ModelPlace[]; readonly problems: readonly string[] } {
  const models = values.map((value): ModelPlace => {
    const at = value.indexOf("="), directory = resolve(cwd, value.slice(at + 1));
    return { name: at < 0 ? basename(directory) : value.slice(0, at), directory };
  });
  const bad = models.filter(({ name }) => !NAME.test(name)).map(({ name }) => `"${name}"`);
  const names = models.map(({ name }) => name), twice = names.filter((name, i) => names.indexOf(name) !== i);
  return {
    models,
    problems: [
      ...(bad.length > 0
        ? [`--model must be NAME=DIR with a name of letters, digits and ._:/-, got ${listed(bad)}`]
        : []),
      ...(twice.length > 0
        ? [`names of --model must be different, got ${listed([...new Set(twice)])} twice`]
        : []),
    ],
  };
}

/**
 * Reads the configs of the models, without their weights.
 * @throws {DataError} if a directory is not that of a language model with a tokenizer
 * @throws {UsageError} if a model alone exceeds the memory
 */
export function inspectModels(models: readonly ModelPlace[], limits: ModelLimits): ServedModel[] {
  const served = models.map(({ name, directory }): ServedModel => {
    const model = readModel(directory);
    if (textDirectory(directory) === undefined) {
      throw new DataError(`${directory}: a served model requires tokenizer.json, got none`, {
        file: directory,
      });
    }
    const tokens = Math.min(limits.tokens, model.contextLength);
    return { name, directory, tokens, bytes: engineBytes(model, limits), read: filesOf(directory) };
  });
  const large = served.filter(({ bytes }) => bytes > limits.memoryBytes);
  if (large.length === 0) return served;
  throw new UsageError(
    `--memory must be at least the memory of each model (less with --max-sequences or --max-tokens): got ` +
      `${spellBytes(limits.memoryBytes)}, ${
        listed(large.map(({ name, bytes }) => `"${name}" takes ${spellBytes(bytes)}`))
      }`,
  );
}

/** Returns the directory of a model, that of its base, and where links in them lead. */
function filesOf(directory: string): string[] {
  const base = isAdapterDirectory(directory) ? [baseDirectoryOf(directory)] : [];
  const files = [directory, ...base].flatMap((folder) => {
    const links = Array.from(Deno.readDirSync(folder)).filter(({ isSymlink }) => isSymlink);
    return [
      folder,
      Deno.realPathSync(folder),
      ...links.map(({ name }) => Deno.realPathSync(join(folder, name))),
    ];
  });
  return [...new Set(files)];
}
