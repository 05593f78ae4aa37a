/**
 * JSON Lines: one JSON object a line, in UTF-8. A byte order mark and blank lines are tolerated; everything else that is
 * wrong is reported at once, by line.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";
import { isJsonObject, parseStrictJson } from "./strict_json.ts";
import { readWholeFile } from "./whole_file.ts";

/** One row and where it stands. */
export interface JsonLine {
  /** line number, from 1 */
  readonly line: number;
  readonly value: Record<string, unknown>;
}

/** Bad lines that a message spells out; the rest is counted. */
const SHOWN = 10;

/**
 * The rows of a JSON Lines file.
 * @throws {DataError} if the file is not there, holds no row, or a line is not UTF-8, not JSON, no object, or an object
 *   with a key that occurs twice; the message lists the first ten bad lines and `where.line` is the first
 */
export function readJsonl(path: string): JsonLine[] {
  const bytes = readWholeFile(path);
  if (isUtf16(bytes)) throw refuse(path, "it is UTF-16");
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const rows: JsonLine[] = [];
  const bad: { line: number; problem: string }[] = [];
  let line = 0;
  for (let at = hasByteOrderMark(bytes) ? 3 : 0; at < bytes.length;) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 ? bytes.length : newline;
    line++;
    const row = parseLine(decoder, bytes.subarray(at, end));
    if (typeof row === "string") bad.push({ line, problem: row });
    else if (row !== undefined) rows.push({ line, value: row });
    at = end + 1;
  }
  if (bad.length > 0) throw refuse(path, showBadLines(bad), bad[0]!.line);
  if (rows.length === 0) throw refuse(path, bytes.length === 0 ? "it is empty" : "it has no row");
  return rows;
}

/** The object on a line, undefined for a blank line, or what is wrong with it. */
function parseLine(decoder: TextDecoder, bytes: Uint8Array): Record<string, unknown> | string | undefined {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return "not UTF-8";
  }
  if (text.trim() === "") return undefined;
  try {
    const value = parseStrictJson(text);
    if (isJsonObject(value)) return value;
    return `${
      Array.isArray(value) ? "an array" : value === null ? "null" : `a ${typeof value}`
    }, not an object`;
  } catch (cause) {
    return (cause as SyntaxError).message;
  }
}

function showBadLines(bad: readonly { line: number; problem: string }[]): string {
  const shown = bad.slice(0, SHOWN).map(({ line, problem }) => `line ${line} (${problem})`).join(", ");
  const rest = bad.length > SHOWN ? `, and ${bad.length - SHOWN} more` : "";
  return `${bad.length} bad line${bad.length === 1 ? "" : "s"}: ${shown}${rest}`;
}

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function isUtf16(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
}

function refuse(file: string, current: string, line?: number): DataError {
  return new DataError(
    `Cannot read ${file} as every line must be a JSON object in UTF-8: ${current}`,
    line === undefined ? { file } : { file, line },
  );
}
