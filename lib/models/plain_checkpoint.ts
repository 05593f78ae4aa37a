/** Plain model directories in the Hugging Face layout: config.json and safetensors, in and out. @module */
import { basename, join } from "node:path";
import { openCheckpointFiles } from "@/lib/files/checkpoint_files.ts";
import { writeSafetensors } from "@/lib/files/safetensors.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { hostTensor, sameShape } from "@/lib/tensor/tensor.ts";
import { modelFromConfig, readConfig } from "./config.ts";
import { type Model, parametersOf } from "./model.ts";
import { ParameterVector } from "./parameters.ts";

/** A model and its weights. */
export interface LoadedModel {
  readonly model: Model;
  readonly parameters: ParameterVector;
}

/**
 * Reads a model directory; weights are widened to f32.
 * @param known the weights of the same files, where they are in memory already
 * @throws {DataError} if the config or a file is bad, a weight is missing, has another shape, is not finite, or is not
 *   part of the model; all offenders are listed
 */
export function loadPlainModel(directory: string, known?: ParameterVector): LoadedModel {
  const model = modelFromConfig(readConfig(directory), { path: join(directory, "config.json") });
  return { model, parameters: known ?? loadParameters(directory, model) };
}

function loadParameters(directory: string, model: Model): ParameterVector {
  using files = openCheckpointFiles(directory);
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
  const parameters = new ParameterVector(specs);
  for (const { name } of specs) files.readFloat32(stored(name), parameters.view(name));
  return parameters;
}

/** What a parameter is called in files with these tensors: files of the bare trunk leave its prefix out. */
function storedName(prefix: string, names: readonly string[]): (name: string) => string {
  if (names.some((name) => name.startsWith(prefix))) return (name) => name;
  return (name) => name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** Writes config.json and model.safetensors (f32) into an existing directory. */
export function writePlainModel(directory: string, { model, parameters }: LoadedModel): void {
  const { torch_dtype: _, ...rest } = model.config as Record<string, unknown>;
  const config = { ...rest, dtype: "float32", torch_dtype: "float32" };
  Deno.writeTextFileSync(join(directory, "config.json"), JSON.stringify(config, null, 2) + "\n");
  const tensors = parametersOf(model).map(({ name, shape }) => ({
    name,
    tensor: hostTensor("f32", shape, parameters.view(name)),
  }));
  writeSafetensors(join(directory, "model.safetensors"), tensors, { format: "pt" });
}
