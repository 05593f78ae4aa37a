/**
 * Adapters in directories of PEFT's layout: adapter_config.json and adapter_model.safetensors. The base lies in `base/`
 * within the directory, which then stands on its own, or where the config says, seen from the directory.
 * @module
 */
import { join, resolve } from "node:path";
import { CheckpointFiles } from "@/lib/files/checkpoint_files.ts";
import type { FileContent, GiveFile, HandOver } from "@/lib/files/hand_over.ts";
import { linkOrCopy } from "@/lib/files/publish.ts";
import { openSafetensors, writeSafetensors } from "@/lib/files/safetensors.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { hostTensor, sameShape } from "@/lib/tensor/tensor.ts";
import { checkpointFiles, sharedModel } from "../backbones.ts";
import { ParameterVector } from "../parameters.ts";
import type { LoadedModel } from "../plain_checkpoint.ts";
import { adaptedMaps } from "./adapted_maps.ts";
import { adaptedModel, adapterSpecs } from "./adapted_model.ts";
import { CONFIG_FILE, loraConfigJson, readLoraConfig } from "./lora_config.ts";

const WEIGHTS_FILE = "adapter_model.safetensors";

/** Where a written adapter's base lies within its directory. */
const BASE = "base";

/** Whether a model directory holds an adapter. */
export function isAdapterDirectory(directory: string): boolean {
  return exists(join(directory, CONFIG_FILE));
}

/**
 * The directory of the base that an adapter stands on.
 * @throws {DataError} if it is not there, or the config is bad
 */
export function baseDirectoryOf(directory: string): string {
  return findBase(directory, readLoraConfig(join(directory, CONFIG_FILE)).base);
}

function findBase(directory: string, named: string): string {
  const inside = join(directory, BASE), beside = named === "" ? inside : resolve(directory, named);
  const found = [inside, beside].find((path) => exists(join(path, "config.json")));
  if (found !== undefined) return found;
  throw new DataError(
    `Cannot load ${directory} as the adapter's base must be in ${inside} or where base_model_name_or_path says: ` +
      (named === "" ? "it says nothing" : `${named} is no model directory`),
    { file: directory },
  );
}

/**
 * Reads an adapter and, unless it is in memory already, its base.
 * @param handOver where to look for the adapter's weights before the disk
 * @throws {DataError} if a file is bad, the base is not there, or the weights are not those that the config describes;
 *   all offenders are listed
 */
export function loadAdapter(directory: string, handOver?: HandOver): LoadedModel {
  const file = join(directory, CONFIG_FILE), { config, base: named } = readLoraConfig(file);
  const opened = openSafetensors(join(directory, WEIGHTS_FILE), handOver);
  using files = new CheckpointFiles(directory, new Map(opened.names.map((name) => [name, opened])));
  const baseDirectory = findBase(directory, named);
  if (isAdapterDirectory(baseDirectory)) {
    throw new DataError(
      `Cannot load ${directory} as an adapter must stand on plain weights: ${baseDirectory} is an adapter`,
      { file: directory },
    );
  }
  const base = sharedModel(baseDirectory);
  const maps = adaptedMaps(base.model, config, file), specs = maps.flatMap(adapterSpecs);
  const names = new Set(specs.map(({ name }) => name));
  const problems = [
    ...specs.flatMap(({ name, shape }) => {
      if (!files.has(name)) return [`${name} is missing`];
      const found = files.shape(name);
      return sameShape(found, shape) ? [] : [`${name} is [${found.join(",")}], not [${shape.join(",")}]`];
    }),
    ...files.names.filter((name) => !names.has(name)).map((name) => `${name} has no place in the base`),
  ];
  if (problems.length > 0) {
    const more = problems.length > 10 ? `; and ${problems.length - 10} more` : "";
    throw new DataError(
      `Cannot load ${directory} as ${WEIGHTS_FILE} must hold what ${CONFIG_FILE} describes: ` +
        problems.slice(0, 10).join("; ") + more,
      { file: directory },
    );
  }
  const parameters = new ParameterVector(specs, { backbone: base.parameters });
  for (const { name } of specs) files.readFloat32(name, parameters.view(name));
  return { model: adaptedModel({ config, maps, base: base.model, baseDirectory }), parameters };
}

/**
 * Writes an adapter into an existing directory, with its base as second names of the same files, and the base's
 * config.json.
 * @param give where the adapter's weights are given away
 */
export function writeAdapter(directory: string, { model, parameters }: LoadedModel, give?: GiveFile): void {
  const { config, maps, base, baseDirectory } = model.adapter!;
  const transposed = maps.some(({ layer, local }) => base.blocks[layer]!.parameters[local]!.transposed);
  const json = loraConfigJson(config, BASE, transposed);
  Deno.writeTextFileSync(join(directory, CONFIG_FILE), JSON.stringify(json, null, 2) + "\n");
  const tensors = parameters.specs.map(({ name, shape }) => ({
    name,
    tensor: hostTensor("f32", shape, parameters.view(name)),
  }));
  const given = give && ((content: FileContent) => give(WEIGHTS_FILE, content));
  writeSafetensors(join(directory, WEIGHTS_FILE), tensors, { format: "pt" }, given);
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
    return false; // not there, or nothing that may be read: either way it is no adapter and no base
  }
}
