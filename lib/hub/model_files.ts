/**
 * Which files of a repository make a model directory: configuration, tokenizer and safetensors. Pickles, weights of
 * other frameworks, code and pictures stay where they are.
 * @module
 */
import { TOKENIZER_FILES } from "@/lib/contracts/model_directory.ts";
import { isJsonObject, parseStrictJson } from "@/lib/files/strict_json.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** The index of a checkpoint in several files. */
export const INDEX = "model.safetensors.index.json";

const SINGLE = "model.safetensors";
const ADAPTER = ["adapter_config.json", "adapter_model.safetensors"];

/**
 * The files to take first: all but the shards, which the index among them names.
 * @param present names of the files at the repository's root
 * @param what the repository, for messages
 * @throws {DataError} if there is no config.json or no safetensors file (pickles are named), and no LoRA adapter
 */
export function firstFiles(present: readonly string[], what: string): string[] {
  const has = (name: string) => present.includes(name);
  const weights = has(SINGLE) ? [SINGLE] : has(INDEX) ? [INDEX] : [];
  const rest = ["config.json", ...TOKENIZER_FILES].filter(has);
  if (ADAPTER.every(has)) return [...rest, ...weights, ...ADAPTER];
  const missing = [
    ...(has("config.json") ? [] : ["config.json"]),
    ...(weights.length > 0 ? [] : [`${SINGLE} or ${INDEX}`]),
  ];
  if (missing.length === 0) return [...rest, ...weights];
  const pickles = present.filter((name) => /\.(bin|pt|pth|ckpt|pkl)$/.test(name));
  const instead = pickles.length === 0
    ? ""
    : `, but ${pickles.join(", ")}, and pickles run code when they are read`;
  throw new DataError(
    `Cannot download ${what} as it must hold a model: it has no ${missing.join(" and no ")}${instead}`,
  );
}

/**
 * The shards that an index names.
 * @param text the index
 * @param present names of the files at the repository's root
 * @throws {DataError} if it is no index, or names files that are not there or lie elsewhere
 */
export function shardsOf(text: string, present: readonly string[], what: string): string[] {
  let index: unknown;
  try {
    index = parseStrictJson(text);
  } catch (cause) {
    throw new DataError(
      `Cannot download ${what} as ${INDEX} must be JSON: ${(cause as Error).message}`,
      {},
      { cause },
    );
  }
  const map = isJsonObject(index) && isJsonObject(index.weight_map) ? index.weight_map : {};
  const shards = [...new Set(Object.values(map))];
  const bad = shards.filter((name) =>
    typeof name !== "string" || !name.endsWith(".safetensors") || !present.includes(name)
  );
  if (shards.length > 0 && bad.length === 0) return (shards as string[]).sort();
  throw new DataError(
    `Cannot download ${what} as ${INDEX} must name safetensors files beside it: ${
      shards.length === 0
        ? "it names none"
        : `${bad.map((name) => JSON.stringify(name)).join(", ")} ${bad.length === 1 ? "is" : "are"} not there`
    }`,
  );
}
