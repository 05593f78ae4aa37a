/** Models that differ slightly from a base, for tests that need an SFT model. @module */
import { join } from "node:path";
import { copyTokenizerFiles } from "@/lib/data/contracts/model_directory.ts";
import { loadModel, writeModel } from "@/lib/model/models/checkpoint.ts";
import { fillNormal } from "@/lib/compute/random/normal.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";

/** The base model. */
export const BASE = "fixtures/stories260k";

/** Writes the base with noise on its weights, and an end token that is about as probable as a full stop. */
export function writeRelative(directory: string, name: string, std: number): string {
  const { model, parameters } = loadModel(BASE);
  const width = model.hiddenSize, table = parameters.view("model.embed_tokens.weight");
  const stop = loadTokenizer(BASE).idOf(".");
  table.set(table.slice(stop! * width, (stop! + 1) * width).map((x) => 1.1 * x), 2 * width);
  const noise = new Float32Array(parameters.data.length);
  fillNormal(noise, makeKey(1, name), { std });
  for (let i = 0; i < noise.length; i++) parameters.data[i]! += noise[i]!;
  const path = join(directory, name);
  Deno.mkdirSync(path);
  writeModel(path, { model, parameters });
  copyTokenizerFiles(BASE, path);
  return path;
}
