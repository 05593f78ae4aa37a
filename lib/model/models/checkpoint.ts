/** Model directories: plain ones in the Hugging Face layout, and adapters in PEFT's layout. @module */
import { join } from "node:path";
import type { GiveFile, HandOver } from "@/lib/data/files/hand_over.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { sharedModel } from "./backbones.ts";
import { modelFromConfig, readConfig } from "./config.ts";
import { baseDirectoryOf, isAdapterDirectory, loadAdapter, writeAdapter } from "./lora/adapter_directory.ts";
import { mergedModel } from "./lora/merge.ts";
import { type Model, parametersOf } from "./model.ts";
import { ParameterVector } from "./parameters.ts";
import { type LoadedModel, loadPlainModel, writePlainModel } from "./plain_checkpoint.ts";

export type { LoadedModel } from "./plain_checkpoint.ts";

/**
 * Reads a model directory; weights are converted to f32. Adapters on one base share its weights.
 * @param handOver files in memory, used instead of those on disk
 * @throws {DataError} if the config or a file is bad, a weight is missing, has another shape, is not finite, or is not
 *   part of the model; all offenders are listed
 */
export function loadModel(directory: string, handOver?: HandOver): LoadedModel {
  return isAdapterDirectory(directory)
    ? loadAdapter(directory, handOver)
    : loadPlainModel(directory, { handOver });
}

/**
 * Reads a model directory that must hold a language model.
 * @throws {DataError} if it holds a critic, or as `loadModel()`
 */
export function loadLanguageModel(directory: string, handOver?: HandOver): LoadedModel {
  return checkLanguageModel(loadModel(directory, handOver), directory);
}

/**
 * Reads a language model without copying weights that another stage of this process handed over: the caller must not
 * write to them.
 * @throws {DataError} if it holds a critic, or as `loadModel()`
 */
export function borrowLanguageModel(directory: string, handOver: HandOver | undefined): LoadedModel {
  const loaded = isAdapterDirectory(directory)
    ? loadAdapter(directory, handOver)
    : loadPlainModel(directory, { handOver, borrow: true });
  return checkLanguageModel(loaded, directory);
}

/**
 * Reads a language model that is not trained: its weights may be shared with other models.
 * @throws {DataError} if it holds a critic, or as `loadModel()`
 */
export function loadFrozenModel(directory: string): LoadedModel {
  const loaded = isAdapterDirectory(directory) ? loadAdapter(directory) : sharedModel(directory);
  return checkLanguageModel(loaded, directory);
}

function checkLanguageModel(loaded: LoadedModel, directory: string): LoadedModel {
  if (loaded.model.headKind === "lm") return loaded;
  throw new DataError(
    `${directory}: a language model is required, got a critic`,
    { file: directory },
  );
}

/**
 * Reads the model of a directory without its weights; for an adapter, that of its base.
 * @throws {DataError} if a config is bad
 */
export function readModel(directory: string): Model {
  const plain = isAdapterDirectory(directory) ? baseDirectoryOf(directory) : directory;
  return modelFromConfig(readConfig(plain), { path: join(plain, "config.json") });
}

/**
 * Returns a critic initialised from a language model: the same trunk, with an adapter merged, and a head of zeros. The
 * weights are copied: all of them are trained.
 */
export function criticFrom(loaded: LoadedModel): LoadedModel {
  const { model, parameters } = mergedModel(loaded);
  const config = { ...model.config, architectures: [model.classifierName], num_labels: 1 };
  const critic = modelFromConfig(config, { headKind: "score" });
  const weights = new ParameterVector(parametersOf(critic));
  for (const { name } of weights.specs) {
    if (name !== critic.head.output!.name) weights.view(name).set(parameters.view(name));
  }
  return { model: critic, parameters: weights };
}

/**
 * Writes a model into an existing directory in the layout that it was read from, without its tokenizer.
 * @param give called to hand the weights over in memory instead of writing them
 */
export function writeModel(directory: string, loaded: LoadedModel, give?: GiveFile): void {
  if (loaded.model.adapter) writeAdapter(directory, loaded, give);
  else writePlainModel(directory, loaded, give);
}

/** Writes a model as a plain checkpoint, with an adapter merged. */
export function writeMerged(directory: string, loaded: LoadedModel): void {
  writePlainModel(directory, mergedModel(loaded));
}
