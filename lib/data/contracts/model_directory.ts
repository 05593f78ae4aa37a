/**
 * The tokenizer files of a model directory in the Hugging Face layout: their names, copying them from model to model, and the
 * digest that identifies a tokenizer.
 * @module
 */
import { isFile } from "@/lib/data/files/paths.ts";
import { join } from "node:path";
import { digestBytes, digestFile } from "@/lib/data/files/digest.ts";
import { writeError } from "@/lib/data/files/file_errors.ts";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** The files that define the vocabulary if there is no tokenizer.json. */
const OLD_VOCABULARY_FILES = [
  "tokenizer.model",
  "spiece.model",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "added_tokens.json",
] as const;

/** All files that are copied unchanged to a trained model. */
export const TOKENIZER_FILES: readonly string[] = [
  "tokenizer.json",
  ...OLD_VOCABULARY_FILES,
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
  "chat_template.jinja",
  "chat_template.json",
];

/**
 * Copies the tokenizer files that exist from one model directory into another, which must exist.
 * @returns the names of the files
 * @throws {DataError} if one cannot be read
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if `to` cannot be written
 */
export function copyTokenizerFiles(from: string, to: string): string[] {
  const names = TOKENIZER_FILES.filter((name) => isFile(join(from, name)));
  for (const name of names) {
    try {
      Deno.copyFileSync(join(from, name), join(to, name));
    } catch (cause) {
      throw writeError(join(to, name), cause);
    }
  }
  return names;
}

/**
 * Returns the digest of the tokenizer: of the bytes of tokenizer.json, else of the older vocabulary files. It is
 * equal in a model and in every model trained from it. Without a tokenizer it is the digest of `none:<vocab_size>`, so that
 * models of random weights differ by their vocabulary size.
 * @returns 64 hexadecimal digits
 * @throws {DataError} if a file cannot be read, or neither a tokenizer nor a vocab_size in config.json exists
 */
export function tokenizerDigest(directory: string): string {
  const path = join(directory, "tokenizer.json");
  if (isFile(path)) return digestFile(path);
  const old = OLD_VOCABULARY_FILES.filter((name) => isFile(join(directory, name)));
  if (old.length > 0) {
    return digestBytes(old.map((name) => `${digestFile(join(directory, name))}  ${name}\n`).join(""));
  }
  const config = join(directory, "config.json");
  const size = readJsonObject(config).vocab_size;
  if (!Number.isSafeInteger(size)) {
    throw new DataError(
      `${config}: vocab_size must be an integer, as the model has no tokenizer, got ${JSON.stringify(size)}`,
      { file: config },
    );
  }
  return digestBytes(`none:${size}`);
}

/** Returns whether a model directory has a tokenizer: models of random weights, as in benchmarks, have none. */
export function hasTokenizer(directory: string): boolean {
  return isFile(join(directory, "tokenizer.json"));
}
