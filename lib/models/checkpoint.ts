/**
 * Model directories, plain in the Hugging Face layout or adapters in PEFT's: everything that takes a model directory
 * takes either.
 * @module
 */
import { join } from "node:path";
import type { GiveFile, HandOver } from "@/lib/files/hand_over.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { sharedModel } from "./backbones.ts";
import { modelFromConfig, readConfig } from "./config.ts";
import { baseDirectoryOf, isAdapterDirectory, loadAdapter, writeAdapter } from "./lora/adapter_directory.ts";
import { mergedModel } from "./lora/merge.ts";
import { type Model, parametersOf } from "./model.ts";
import { ParameterVector } from "./parameters.ts";
import { type LoadedModel, loadPlainModel, writePlainModel } from "./plain_checkpoint.ts";

export type { LoadedModel } from "./plain_checkpoint.ts";

/**
 * Reads a model directory; weights are widened to f32. An adapter's base is shared with other adapters on it.
 * @param handOver where to look for the weights before the disk
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
 * Reads a language model to look at: weights that another stage of this process handed over are not copied, so the
 * caller must not write to them.
 * @throws {DataError} if it holds a critic, or as `loadModel()`
 */
export function borrowLanguageModel(directory: string, handOver: HandOver | undefined): LoadedModel {
  const loaded = isAdapterDirectory(directory)
    ? loadAdapter(directory, handOver)
    : loadPlainModel(directory, { handOver, borrow: true });
  return checkLanguageModel(loaded, directory);
}

/**
 * Reads a language model that nobody will train: its weights may be shared with others.
 * @throws {DataError} if it holds a critic, or as `loadModel()`
 */
export function loadFrozenModel(directory: string): LoadedModel {
  const loaded = isAdapterDirectory(directory) ? loadAdapter(directory) : sharedModel(directory);
  return checkLanguageModel(loaded, directory);
}

function checkLanguageModel(loaded: LoadedModel, directory: string): LoadedModel {
  if (loaded.model.headKind === "lm") return loaded;
  throw new DataError(
    `Cannot take ${directory} as a language model must have a head over its vocabulary: it is a critic`,
    { file: directory },
  );
}

/**
 * The model of a directory without its weights; of an adapter: its base.
 * @throws {DataError} if a config is bad
 */
export function readModel(directory: string): Model {
  const plain = isAdapterDirectory(directory) ? baseDirectoryOf(directory) : directory;
  return modelFromConfig(readConfig(plain), { path: join(plain, "config.json") });
}

/**
 * The critic that a causal model starts: the same trunk with a head of zeros, an adapter folded in.
 * Weights are copied: the critic is trained on its own, all of it.
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
 * Writes a model into an existing directory in the layout that it was read from; its tokenizer is no part of it.
 * @param give where the weights are given away
 */
export function writeModel(directory: string, loaded: LoadedModel, give?: GiveFile): void {
  if (loaded.model.adapter) writeAdapter(directory, loaded, give);
  else writePlainModel(directory, loaded, give);
}

/** Writes a model as a plain checkpoint, an adapter folded in. */
export function writeMerged(directory: string, loaded: LoadedModel): void {
  writePlainModel(directory, mergedModel(loaded));
}
