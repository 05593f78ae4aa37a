/**
 * A model before its first update: random weights for a directory that has a config.json and no checkpoint, as
 * transformers' `_init_weights` draws them. Matrices and embeddings are normal with deviation `initializer_range`, norms
 * change nothing, biases are 0. transformers also scales GPT-2's residual projections down and zeroes the padding
 * token's embedding; here all matrices are alike.
 * @module
 */
import { join } from "node:path";
import { fillNormal } from "@/lib/random/normal.ts";
import { makeKey } from "@/lib/random/uniform.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { modelFromConfig, readConfig } from "./config.ts";
import { parametersOf } from "./model.ts";
import { ParameterVector } from "./parameters.ts";
import type { LoadedModel } from "./plain_checkpoint.ts";

/** The deviation that every family of transformers has as its default. */
const INITIALIZER_RANGE = 0.02;

/** Files that hold weights, readable here or not, and the configuration of an adapter, whose weights are elsewhere. */
const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf)$|\.index\.json$|^adapter_config\.json$/;

/** Whether a directory has a config.json and nothing that could be weights. */
export function isWithoutWeights(directory: string): boolean {
  try {
    const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
    return names.includes("config.json") && !names.some((name) => WEIGHTS.test(name));
  } catch {
    return false; // whoever opens it says why
  }
}

/**
 * The model of a directory's config.json with random weights. Each parameter has a stream of its own, so that its
 * numbers do not depend on the others.
 * @throws {DataError} if the config is bad, or its initializer_range is no positive number
 */
export function initialModel(directory: string, seed: number): LoadedModel {
  const path = join(directory, "config.json");
  const model = modelFromConfig(readConfig(directory), { path });
  const std = model.config.initializer_range ?? INITIALIZER_RANGE;
  if (typeof std !== "number" || !(std > 0 && std < Infinity)) {
    throw new DataError(
      `Cannot initialise ${path} as initializer_range must be a positive number: it is ${
        JSON.stringify(std)
      }`,
      { file: path },
    );
  }
  const parameters = new ParameterVector(parametersOf(model));
  for (const { name, shape } of parameters.specs) {
    if (shape.length >= 2) fillNormal(parameters.view(name), makeKey(seed, "initial", name), { std });
    else if (!name.endsWith(".bias")) parameters.view(name).fill(model.neutralNorm ?? 1);
  }
  return { model, parameters };
}
