/**
 * Reads JSON Lines: one JSON object per line, in UTF-8. A byte order mark and blank lines are allowed; all other problems
 * are reported together, by line.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { isJsonObject, jsonKind, parseStrictJson } from "./strict_json.ts";
import { isUtf16, readWholeFile } from "./whole_file.ts";

/** A row and its place. */
export interface JsonLine {
  /** line number, from 1 */
  readonly line: number;
  readonly value: Record<string, unknown>;
}

/**
 * Returns the rows of a JSON Lines file.
 * @throws {DataError} if the file does not exist, has no row, or a line is not UTF-8, not JSON, not an object, or repeats a
 *   key; the message lists the first ten bad lines and `where.line` is the first
 */
export function readJsonl(path: string): JsonLine[] {
  const bytes = readWholeFile(path);
  const required = `${path} must hold one JSON object per line in UTF-8`;
  if (isUtf16(bytes)) throw new DataError(`${required}, got UTF-16`, { file: path });
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const rows: JsonLine[] = [];
  const bad: { readonly line: number; readonly problem: string }[] = [];
  for (let at = hasByteOrderMark(bytes) ? 3 : 0, line = 1; at < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 ? bytes.length : newline;
    const row = parseLine(decoder, bytes.subarray(at, end));
    if (typeof row === "string") bad.push({ line, problem: row });
    else if (row !== undefined) rows.push({ line, value: row });
    at = end + 1;
  }
  if (bad.length > 0) {
    const shown = listed(bad.map(({ line, problem }) => `line ${line} (${problem})`), { separator: ", " });
    const count = `${bad.length} bad line${bad.length === 1 ? "" : "s"}`;
    throw new DataError(`${required}, got ${count}: ${shown}`, { file: path, line: bad[0]!.line });
  }
  if (rows.length > 0) return rows;
  throw new DataError(`${required}, got ${bytes.length === 0 ? "an empty file" : "blank lines only"}`, {
    file: path,
  });
}

/** Returns the object of a line, undefined for a blank line, or the problem as a text. */
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
    return isJsonObject(value) ? value : `${jsonKind(value)}, not an object`;
  } catch (cause) {
    return (cause as SyntaxError).message;
  }
}

function hasByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
