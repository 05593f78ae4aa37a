/** Plain model directories in the Hugging Face layout: config.json and safetensors, in and out. @module */
import { basename, join } from "node:path";
import { type CheckpointFiles, openCheckpointFiles } from "@/lib/data/files/checkpoint_files.ts";
import type { GiveFile, HandOver } from "@/lib/data/files/hand_over.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { modelFromConfig, readConfig } from "./config.ts";
import { type Model, parametersOf, type ParameterSpec } from "./model.ts";
import { ParameterVector } from "./parameters.ts";
import { weightProblems, writeWeights } from "./weight_files.ts";
import { smallest } from "@/lib/compute/tensor/large_lists.ts";

const WEIGHTS = "model.safetensors";

/** A model and its weights. */
export interface LoadedModel {
  readonly model: Model;
  readonly parameters: ParameterVector;
}

/** Sources of weights other than the disk, and their owner. */
export interface LoadOptions {
  /** the weights of the same files, if they are in memory */
  readonly known?: ParameterVector | undefined;
  /** files in memory, used instead of those on disk */
  readonly handOver?: HandOver | undefined;
  /** true: the caller does not write to the weights, so they may be shared */
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
  const storedSpecs = specs.map((spec) => ({ ...spec, name: stored(spec.name) }));
  const names = new Set(storedSpecs.map(({ name }) => name));
  const extra = files.names.filter((name) =>
    !names.has(name) && !ignored.some((pattern) => pattern.test(name))
  );
  const problems = [
    ...weightProblems(storedSpecs, (name) => files.has(name) ? files.shape(name) : undefined),
    ...extra.map((name) => `${name} of ${basename(files.path(name))} is not a parameter of the model`),
  ];
  if (problems.length > 0) {
    throw new DataError(`${directory}: weights do not match config.json: ${listed(problems)}`, {
      file: directory,
    });
  }
  const given = borrowedVector(files, specs, stored);
  if (borrow && given) return given;
  const parameters = new ParameterVector(specs);
  parameters.origin = given?.data.buffer;
  for (const { name } of specs) files.readFloat32(stored(name), parameters.view(name));
  return parameters;
}

/** Returns the vector that the files were written from, if it is in memory and has the layout of these specs. */
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
  const begin = smallest(Array.from(views.values(), ({ byteOffset }) => byteOffset));
  const size = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (begin + 4 * size > buffer.byteLength) return undefined;
  const vector = new ParameterVector(specs, { data: new Float32Array(buffer, begin, size) });
  const fits = specs.every(({ name }) => {
    const { buffer: own, byteOffset } = views.get(name)!;
    return own === buffer && byteOffset === vector.view(name).byteOffset;
  });
  return fits ? vector : undefined;
}

/** Returns a function from parameter names to names in files with these tensors: files of the trunk alone have no prefix. */
function storedName(prefix: string, names: readonly string[]): (name: string) => string {
  if (names.some((name) => name.startsWith(prefix))) return (name) => name;
  return (name) => name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/**
 * Writes config.json and model.safetensors (f32) into an existing directory.
 * @param give called to hand the weights over in memory instead of writing them
 */
export function writePlainModel(
  directory: string,
  { model, parameters }: LoadedModel,
  give?: GiveFile,
): void {
  const { torch_dtype: _, ...rest } = model.config as Record<string, unknown>;
  const config = { ...rest, dtype: "float32", torch_dtype: "float32" };
  Deno.writeTextFileSync(join(directory, "config.json"), JSON.stringify(config, null, 2) + "\n");
  const view = (name: string) => parameters.view(name);
  writeWeights(join(directory, WEIGHTS), parametersOf(model), view, give);
}
