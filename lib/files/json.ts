/** JSON files, strictly read and readably written. @module */
import { DataError } from "@/lib/tensor/errors.ts";
import { canonicalJson } from "./canonical_json.ts";
import { isJsonObject, parseStrictJson } from "./strict_json.ts";
import { readWholeFile, writeWholeFile } from "./whole_file.ts";

/**
 * The value of a JSON file in UTF-8.
 * @throws {DataError} if it is not there, not UTF-8, not JSON, or an object of it holds a key twice
 */
export function readJson(path: string): unknown {
  const bytes = readWholeFile(path);
  try {
    return parseStrictJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DataError(
      `Cannot read ${path} as it must be valid JSON in UTF-8: ${(cause as Error).message}`,
      { file: path },
      { cause },
    );
  }
}

/**
 * The object that a JSON file holds.
 * @throws {DataError} as `readJson()`, or if it is no object
 */
export function readJsonObject(path: string): Record<string, unknown> {
  const value = readJson(path);
  if (isJsonObject(value)) return value;
  const current = Array.isArray(value) ? "an array" : value === null ? "null" : `a ${typeof value}`;
  throw new DataError(`Cannot read ${path} as it must hold a JSON object: it is ${current}`, { file: path });
}

/**
 * Writes a plain value as indented JSON with sorted keys, so that equal values give equal bytes.
 * @throws {TypeError} for what JSON cannot say (see `canonicalJson()`)
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
 */
export function writeJson(path: string, value: unknown): void {
  const text = JSON.stringify(JSON.parse(canonicalJson(value)), null, 2);
  writeWholeFile(path, [new TextEncoder().encode(`${text}\n`)]);
}
