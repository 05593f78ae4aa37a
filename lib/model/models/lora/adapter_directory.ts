/**
 * Adapters in directories of PEFT's layout: adapter_config.json and adapter_model.safetensors. The base is in `base/`
 * within the directory, or at the path in the config, relative to the directory.
 * @module
 */
import { join, resolve } from "node:path";
import { CheckpointFiles } from "@/lib/data/files/checkpoint_files.ts";
import type { GiveFile, HandOver } from "@/lib/data/files/hand_over.ts";
import { linkOrCopy } from "@/lib/data/files/publish.ts";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { checkpointFiles, sharedModel } from "../backbones.ts";
import { ParameterVector } from "../parameters.ts";
import type { LoadedModel } from "../plain_checkpoint.ts";
import { weightProblems, writeWeights } from "../weight_files.ts";
import { adaptedMaps } from "./adapted_maps.ts";
import { adaptedModel, adapterSpecs } from "./adapted_model.ts";
import { CONFIG_FILE, loraConfigJson, readLoraConfig } from "./lora_config.ts";

const WEIGHTS_FILE = "adapter_model.safetensors";

/** Directory of the base within that of a written adapter. */
const BASE = "base";

/** Returns whether a model directory is an adapter. */
export function isAdapterDirectory(directory: string): boolean {
  return exists(join(directory, CONFIG_FILE));
}

/**
 * Returns the directory of an adapter's base.
 * @throws {DataError} if it does not exist, or the config is invalid
 */
export function baseDirectoryOf(directory: string): string {
  return findBase(directory, readLoraConfig(join(directory, CONFIG_FILE)).base);
}

function findBase(directory: string, named: string): string {
  const inside = join(directory, BASE), configured = named === "" ? inside : resolve(directory, named);
  const found = [inside, configured].find((path) => exists(join(path, "config.json")));
  if (found !== undefined) return found;
  throw new DataError(
    `${directory}: the adapter's base must be in ${inside} or at base_model_name_or_path, got ` +
      (named === "" ? "no path" : `${named}, which is not a model directory`),
    { file: directory },
  );
}

/**
 * Reads an adapter and, unless it is in memory, its base.
 * @param handOver files in memory, used instead of those on disk
 * @throws {DataError} if a file is invalid, the base does not exist, or the weights do not match the config; all
 *   offenders are listed
 */
export function loadAdapter(directory: string, handOver?: HandOver): LoadedModel {
  const file = join(directory, CONFIG_FILE), { config, base: named } = readLoraConfig(file);
  const opened = openSafetensors(join(directory, WEIGHTS_FILE), handOver);
  using files = new CheckpointFiles(directory, new Map(opened.names.map((name) => [name, opened])));
  const baseDirectory = findBase(directory, named);
  if (isAdapterDirectory(baseDirectory)) {
    throw new DataError(`${directory}: the base must not be an adapter, got ${baseDirectory}`, {
      file: directory,
    });
  }
  const base = sharedModel(baseDirectory);
  const maps = adaptedMaps(base.model, config, file), specs = maps.flatMap(adapterSpecs);
  const names = new Set(specs.map(({ name }) => name));
  const problems = [
    ...weightProblems(specs, (name) => files.has(name) ? files.shape(name) : undefined),
    ...files.names.filter((name) => !names.has(name)).map((name) => `${name} matches no map of the base`),
  ];
  if (problems.length > 0) {
    throw new DataError(
      `${directory}: ${WEIGHTS_FILE} does not match ${CONFIG_FILE}: ${listed(problems)}`,
      { file: directory },
    );
  }
  const parameters = new ParameterVector(specs, { backbone: base.parameters });
  for (const { name } of specs) files.readFloat32(name, parameters.view(name));
  return { model: adaptedModel({ config, maps, base: base.model, baseDirectory }), parameters };
}

/**
 * Writes an adapter into an existing directory, with the base's config.json and, as hard links if possible, its base.
 * @param give called to hand the adapter's weights over in memory instead of writing them
 */
export function writeAdapter(directory: string, { model, parameters }: LoadedModel, give?: GiveFile): void {
  const { config, maps, base, baseDirectory } = model.adapter!;
  const transposed = maps.some(({ layer, local }) => base.blocks[layer]!.parameters[local]!.transposed);
  const json = loraConfigJson(config, BASE, transposed);
  Deno.writeTextFileSync(join(directory, CONFIG_FILE), JSON.stringify(json, null, 2) + "\n");
  writeWeights(join(directory, WEIGHTS_FILE), parameters.specs, (name) => parameters.view(name), give);
  linkOrCopy(join(baseDirectory, "config.json"), join(directory, "config.json"));
  Deno.mkdirSync(join(directory, BASE));
  for (const name of checkpointFiles(baseDirectory)) {
    linkOrCopy(join(baseDirectory, name), join(directory, BASE, name));
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false; // missing or not readable: neither an adapter nor a base
  }
}
