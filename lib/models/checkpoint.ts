/** Model directories in the Hugging Face layout: weights in and out. @module */
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
 * @throws {DataError} if the config or a file is bad, a weight is missing, has another shape, is not finite, or is not
 *   part of the model; all offenders are listed
 */
export function loadModel(directory: string): LoadedModel {
  const model = modelFromConfig(readConfig(directory), { path: join(directory, "config.json") });
  return { model, parameters: loadParameters(directory, model) };
}

/**
 * Reads a model directory that must hold a language model.
 * @throws {DataError} if it holds a critic, or as `loadModel()`
 */
export function loadLanguageModel(directory: string): LoadedModel {
  const loaded = loadModel(directory);
  if (loaded.model.headKind === "lm") return loaded;
  throw new DataError(
    `Cannot take ${directory} as a language model must have a head over its vocabulary: it is a critic`,
    { file: directory },
  );
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

/**
 * The critic that a causal model starts: the same trunk with a head of zeros.
 * Weights are copied: the critic is trained on its own.
 */
export function criticFrom({ model, parameters }: LoadedModel): LoadedModel {
  const config = { ...model.config, architectures: [model.classifierName], num_labels: 1 };
  const critic = modelFromConfig(config, { headKind: "score" });
  const weights = new ParameterVector(parametersOf(critic));
  for (const { name } of weights.specs) {
    if (name !== critic.head.output!.name) weights.view(name).set(parameters.view(name));
  }
  return { model: critic, parameters: weights };
}

/** Writes config.json and model.safetensors (f32) into an existing directory. */
export function writeModel(directory: string, { model, parameters }: LoadedModel): void {
  const { torch_dtype: _, ...rest } = model.config as Record<string, unknown>;
  const config = { ...rest, dtype: "float32", torch_dtype: "float32" };
  Deno.writeTextFileSync(join(directory, "config.json"), JSON.stringify(config, null, 2) + "\n");
  const tensors = parameters.specs.map(({ name, shape }) => ({
    name,
    tensor: hostTensor("f32", shape, parameters.view(name)),
  }));
  writeSafetensors(join(directory, "model.safetensors"), tensors, { format: "pt" });
}
