/** Reads JSON files strictly and writes them with stable bytes. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { canonicalJson } from "./canonical_json.ts";
import type { JsonLine } from "./jsonl.ts";
import { isJsonObject, jsonKind, parseStrictJson } from "./strict_json.ts";
import { readText, writeWholeFile } from "./whole_file.ts";

/**
 * Returns the value of a JSON file in UTF-8.
 * @throws {DataError} if the file does not exist, is not UTF-8, is not JSON, or an object in it repeats a key
 */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return parseStrictJson(text);
  } catch (cause) {
    const found = text.trim() === "" ? "the file is empty" : (cause as Error).message;
    throw new DataError(`${path} must be valid JSON: ${found}`, { file: path }, { cause });
  }
}

/**
 * Returns the object of a JSON file.
 * @throws {DataError} as `readJson()`, or if the value is not an object
 */
export function readJsonObject(path: string): Record<string, unknown> {
  const value = readJson(path);
  if (isJsonObject(value)) return value;
  throw new DataError(`${path} must hold a JSON object, got ${jsonKind(value)}`, { file: path });
}

/**
 * Returns the objects of a JSON file that is one array; `line` counts them from 1.
 * @throws {DataError} as `readJson()`, or if the value is not an array of objects or is empty
 */
export function readJsonRows(path: string): JsonLine[] {
  const value = readJson(path), required = `${path} must hold a JSON array of objects`;
  if (!Array.isArray(value)) throw new DataError(`${required}, got ${jsonKind(value)}`, { file: path });
  const bad = value.flatMap((item, k) => isJsonObject(item) ? [] : [`item ${k + 1} is ${jsonKind(item)}`]);
  if (bad.length > 0) throw new DataError(`${required}: ${listed(bad, { separator: ", " })}`, { file: path });
  if (value.length === 0) throw new DataError(`${required}, got an empty array`, { file: path });
  return (value as Record<string, unknown>[]).map((item, k) => ({ line: k + 1, value: item }));
}

/**
 * Writes a plain value as indented JSON with sorted keys, so that equal values give equal bytes.
 * @throws {TypeError} for what JSON cannot express (see `canonicalJson()`)
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the path cannot be written
 */
export function writeJson(path: string, value: unknown): void {
  const text = JSON.stringify(JSON.parse(canonicalJson(value)), null, 2);
  writeWholeFile(path, [new TextEncoder().encode(`${text}\n`)]);
}
