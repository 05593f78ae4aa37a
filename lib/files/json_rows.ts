/** A JSON file that is one array of objects. In: a path. Out: the objects, numbered from 1. @module */
import { DataError } from "@/lib/tensor/errors.ts";
import type { JsonLine } from "./jsonl.ts";
import { isJsonObject, parseStrictJson } from "./strict_json.ts";
import { readUtf8 } from "./utf8_file.ts";

/** Bad items that a message spells out; the rest is counted. */
const SHOWN = 10;

/**
 * The objects of a JSON array; `line` counts them from 1.
 * @throws {DataError} if the file is not JSON, no array, has an item that is no object, or none
 */
export function readJsonRows(path: string): JsonLine[] {
  const text = readUtf8(path, "JSON");
  let value: unknown;
  try {
    value = parseStrictJson(text);
  } catch (cause) {
    const what = text.trim() === "" ? "it is empty" : (cause as Error).message;
    throw refuse(path, what, cause);
  }
  if (!Array.isArray(value)) throw refuse(path, `it is ${kindOf(value)}`);
  const bad = value.flatMap((item, k) => isJsonObject(item) ? [] : [`item ${k + 1} is ${kindOf(item)}`]);
  if (bad.length > 0) {
    const rest = bad.length > SHOWN ? `, and ${bad.length - SHOWN} more` : "";
    throw refuse(path, bad.slice(0, SHOWN).join(", ") + rest);
  }
  if (value.length === 0) throw refuse(path, "it has no row");
  return (value as Record<string, unknown>[]).map((item, k) => ({ line: k + 1, value: item }));
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function refuse(file: string, current: string, cause?: unknown): DataError {
  return new DataError(`Cannot read ${file} as it must be a JSON array of objects: ${current}`, { file }, {
    cause,
  });
}
