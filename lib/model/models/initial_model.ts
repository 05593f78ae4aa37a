/**
 * Random initial weights for a directory that has a config.json and no checkpoint, as in transformers' `_init_weights`:
 * matrices and embeddings are normal with standard deviation `initializer_range`, norms are the identity, biases are 0.
 * transformers also scales down GPT-2's residual projections and zeroes the padding token's embedding; here all matrices
 * are initialised alike.
 * @module
 */
import { join } from "node:path";
import { fillNormal } from "@/lib/compute/random/normal.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { modelFromConfig, readConfig } from "./config.ts";
import { parametersOf } from "./model.ts";
import { ParameterVector } from "./parameters.ts";
import type { LoadedModel } from "./plain_checkpoint.ts";

/** Default standard deviation of every family in transformers. */
const INITIALIZER_RANGE = 0.02;

/** Files with weights in any format, and the config of an adapter, whose weights are elsewhere. */
const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack|gguf)$|\.index\.json$|^adapter_config\.json$/;

/** Returns whether a directory has a config.json and no file that could contain weights. */
export function isWithoutWeights(directory: string): boolean {
  try {
    const names = Array.from(Deno.readDirSync(directory), ({ name }) => name);
    return names.includes("config.json") && !names.some((name) => WEIGHTS.test(name));
  } catch {
    return false; // opening it fails with the reason
  }
}

/**
 * Returns the model of a directory's config.json with random weights. Each parameter has its own random stream.
 * @throws {DataError} if the config is invalid, or its initializer_range is not a positive number
 */
export function initialModel(directory: string, seed: number): LoadedModel {
  const path = join(directory, "config.json");
  const model = modelFromConfig(readConfig(directory), { path });
  const std = model.config.initializer_range ?? INITIALIZER_RANGE;
  if (typeof std !== "number" || !(std > 0 && std < Infinity)) {
    throw new DataError(
      `${path}: initializer_range must be a positive number, got ${JSON.stringify(std)}`,
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
