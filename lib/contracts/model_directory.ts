/**
 * The tokenizer's part of a model directory in the Hugging Face layout: which files it is made of, how it moves from
 * model to model, and what tells two vocabularies apart.
 * @module
 */
import { join } from "node:path";
import { digestBytes, digestFile } from "@/lib/files/digest.ts";
import { readError, writeError } from "@/lib/files/file_errors.ts";
import { readJsonObject } from "@/lib/files/json.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** The files that define which id stands for which text, where there is no tokenizer.json. */
const OLD_VOCABULARY_FILES = [
  "tokenizer.model",
  "spiece.model",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "added_tokens.json",
] as const;

/** All files that a trained model takes over unchanged from the model that it was trained from. */
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
 * Copies the tokenizer's files, as many as there are, from one model directory into another that exists.
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
 * Digest of what gives token ids their meaning: the bytes of tokenizer.json, else of the older vocabulary files. It is
 * equal in a model and in every model trained from it. A model without a tokenizer has the digest of
 * `none:<vocab_size>`, so that models of random weights can be told apart by the ids that they take.
 * @returns 64 hexadecimal digits
 * @throws {DataError} if a file cannot be read, or there is neither a tokenizer nor a vocab_size in config.json
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
      `Cannot read ${config} as a model without a tokenizer must have a vocab_size: it is ${
        JSON.stringify(size)
      }`,
      { file: config },
    );
  }
  return digestBytes(`none:${size}`);
}

/** Whether a model directory has a tokenizer: models of random weights, as benchmarks take them, have none. */
export function hasTokenizer(directory: string): boolean {
  return isFile(join(directory, "tokenizer.json"));
}

/** True where there is a file; a link to a file counts, as Hugging Face caches are made of them. */
function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw readError(path, cause);
  }
}
