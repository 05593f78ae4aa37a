/**
 * Selects the files of a repository that belong in a model directory: configuration, tokenizer and safetensors. Pickle files,
 * weights of other frameworks, code and pictures are not downloaded.
 * @module
 */
import { TOKENIZER_FILES } from "@/lib/data/contracts/model_directory.ts";
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

/** The index of a checkpoint in several files. */
export const INDEX = "model.safetensors.index.json";

const SINGLE = "model.safetensors";
const ADAPTER = ["adapter_config.json", "adapter_model.safetensors"];

/**
 * Returns the files to download first: all except the shards, which are listed in the index.
 * @param present names of the files at the repository's root
 * @param what the repository, for messages
 * @throws {DataError} if there is no config.json or no safetensors file (pickle files are named), and no LoRA adapter
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
  const found = pickles.length === 0
    ? ""
    : `, got only ${listed(pickles, { separator: ", " })} (pickle files can run code, so they are not read)`;
  throw new DataError(`${what} must hold ${missing.join(" and ")}${found}`);
}

/**
 * Returns the files with rows of a data set: Parquet, JSON Lines, JSON, CSV, TSV, Arrow. If there is Parquet, nothing else.
 * @throws {DataError} if there is none
 */
export function datasetFiles(present: readonly string[], what: string): string[] {
  const parquet = present.filter((name) => name.endsWith(".parquet"));
  const rows = parquet.length > 0
    ? parquet
    : present.filter((name) => /\.(jsonl|ndjson|json|csv|tsv|arrow)$/.test(name));
  if (rows.length > 0) return rows;
  throw new DataError(
    `${what} must hold Parquet, JSON Lines, JSON, CSV, TSV or Arrow files, got ${
      listed(present, { separator: ", " }) || "none"
    }`,
  );
}

/**
 * Returns the shards that an index lists.
 * @param index the JSON of the index
 * @param present names of the files at the repository's root
 * @throws {DataError} if it lists no files, or files that do not exist or are in other directories
 */
export function shardsOf(
  index: Readonly<Record<string, unknown>>,
  present: readonly string[],
  what: string,
): string[] {
  const map = isJsonObject(index.weight_map) ? index.weight_map : {};
  const shards = [...new Set(Object.values(map))];
  const bad = shards.filter((name) =>
    typeof name !== "string" || !name.endsWith(".safetensors") || !present.includes(name)
  );
  if (shards.length > 0 && bad.length === 0) return (shards as string[]).sort();
  const found = shards.length === 0
    ? "none"
    : listed(bad.map((name) => JSON.stringify(name)), { separator: ", " });
  throw new DataError(`${INDEX} of ${what} must list safetensors files of the same repository, got ${found}`);
}
