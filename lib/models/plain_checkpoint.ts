/** Plain model directories in the Hugging Face layout: config.json and safetensors, in and out. @module */
import { basename, join } from "node:path";
import { type CheckpointFiles, openCheckpointFiles } from "@/lib/files/checkpoint_files.ts";
import type { FileContent, GiveFile, HandOver } from "@/lib/files/hand_over.ts";
import { writeSafetensors } from "@/lib/files/safetensors.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { hostTensor, sameShape, sizeOf } from "@/lib/tensor/tensor.ts";
import { modelFromConfig, readConfig } from "./config.ts";
import { type Model, parametersOf, type ParameterSpec } from "./model.ts";
import { ParameterVector } from "./parameters.ts";

const WEIGHTS = "model.safetensors";

/** A model and its weights. */
export interface LoadedModel {
  readonly model: Model;
  readonly parameters: ParameterVector;
}

/** Where weights may come from beside the disk, and whose they are. */
export interface LoadOptions {
  /** the weights of the same files, where they are in memory already */
  readonly known?: ParameterVector | undefined;
  /** where to look for the files before the disk */
  readonly handOver?: HandOver | undefined;
  /** true: the caller does not write to the weights, so that they need not be its own */
  readonly borrow?: boolean;
}

/**
 * Reads a model directory; weights are widened to f32.
 * @throws {DataError} if the config or a file is bad, a weight is missing, has another shape, is not finite, or is not
 *   part of the model; all offenders are listed
 */
export function loadPlainModel(directory: string, options: LoadOptions = {}): LoadedModel {
  const model = modelFromConfig(readConfig(directory), { path: join(directory, "config.json") });
  return { model, parameters: options.known ?? loadParameters(directory, model, options) };
}

function loadParameters(
  directory: string,
  model: Model,
  { handOver, borrow = false }: LoadOptions,
): ParameterVector {
  using files = openCheckpointFiles(directory, handOver);
  const specs = parametersOf(model), { ignored } = model.checkpoint;
  const stored = storedName(model.checkpoint.prefix, files.names);
  const names = new Set(specs.map((s) => stored(s.name)));
  const problems = [
    ...specs.filter((s) => !files.has(stored(s.name))).map((s) => `${stored(s.name)} is missing`),
    ...specs.flatMap(({ name, shape }) => {
      const found = files.has(stored(name)) ? files.shape(stored(name)) : shape;
      return sameShape(found, shape)
        ? []
        : [`${stored(name)} is [${found.join(",")}], not [${shape.join(",")}]`];
    }),
    ...files.names.filter((n) => !names.has(n) && !ignored.some((pattern) => pattern.test(n))).map((n) =>
      `${n} of ${basename(files.path(n))} has no place in the model`
    ),
  ];
  if (problems.length > 0) {
    const more = problems.length > 10 ? `; and ${problems.length - 10} more` : "";
    throw new DataError(
      `Cannot load ${directory} as its weights must be those that config.json describes: ` +
        problems.slice(0, 10).join("; ") + more,
      { file: directory },
    );
  }
  const lent = borrow ? borrowedVector(files, specs, stored) : undefined;
  if (lent) return lent;
  const parameters = new ParameterVector(specs);
  for (const { name } of specs) files.readFloat32(stored(name), parameters.view(name));
  return parameters;
}

/** The vector that the files were written from, if it is in memory and laid out as one of these specs. */
function borrowedVector(
  files: CheckpointFiles,
  specs: readonly ParameterSpec[],
  stored: (name: string) => string,
): ParameterVector | undefined {
  const views = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { name } of specs) {
    const view = files.borrowFloat32(stored(name));
    if (!view) return undefined;
    views.set(name, view);
  }
  const [{ buffer }] = [...views.values()] as [Float32Array<ArrayBuffer>];
  const begin = Math.min(...Array.from(views.values(), ({ byteOffset }) => byteOffset));
  const size = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (begin + 4 * size > buffer.byteLength) return undefined;
  const vector = new ParameterVector(specs, { data: new Float32Array(buffer, begin, size) });
  const fits = specs.every(({ name }) => {
    const [given, wanted] = [views.get(name)!, vector.view(name)];
    return given.buffer === buffer && given.byteOffset === wanted.byteOffset;
  });
  return fits ? vector : undefined;
}

/** What a parameter is called in files with these tensors: files of the bare trunk leave its prefix out. */
function storedName(prefix: string, names: readonly string[]): (name: string) => string {
  if (names.some((name) => name.startsWith(prefix))) return (name) => name;
  return (name) => name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/**
 * Writes config.json and model.safetensors (f32) into an existing directory.
 * @param give where the weights are given away
 */
export function writePlainModel(
  directory: string,
  { model, parameters }: LoadedModel,
  give?: GiveFile,
): void {
  const { torch_dtype: _, ...rest } = model.config as Record<string, unknown>;
  const config = { ...rest, dtype: "float32", torch_dtype: "float32" };
  Deno.writeTextFileSync(join(directory, "config.json"), JSON.stringify(config, null, 2) + "\n");
  const tensors = parametersOf(model).map(({ name, shape }) => ({
    name,
    tensor: hostTensor("f32", shape, parameters.view(name)),
  }));
  const given = give && ((content: FileContent) => give(WEIGHTS, content));
  writeSafetensors(join(directory, WEIGHTS), tensors, { format: "pt" }, given);
}
