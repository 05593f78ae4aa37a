/**
 * Tables of text: CSV after RFC 4180, or with tabs. The first record names the columns. A byte order mark, LF and CRLF are
 * taken; line ends inside quotes stay as they are. In: a path. Out: one object a record, every value a text.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";
import type { JsonLine } from "./jsonl.ts";
import { readUtf8 } from "./utf8_file.ts";

/** A record and the line on which it begins, from 1. */
interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** Bad records that a message spells out; the rest is counted. */
const SHOWN = 10;

/**
 * The rows of a CSV file; blank lines are no rows.
 * @param options.delimiter default a comma
 * @throws {DataError} if the file is not UTF-8, a quote is not closed or stands inside a field, a column has no name or that
 *   of another, records have more or fewer fields than there are columns, or there are none
 */
export function readCsv(path: string, options: { readonly delimiter?: string } = {}): JsonLine[] {
  const text = readUtf8(path, "CSV");
  if (text.includes("\0")) {
    throw refuse(path, `there is a NUL byte in line ${lineAt(text, text.indexOf("\0"))}`);
  }
  const [header, ...records] = recordsOf(text, options.delimiter ?? ",", path);
  if (header === undefined) throw refuse(path, text === "" ? "it is empty" : "it has no row");
  const names = header.fields;
  const odd = names.filter((name, k) => name === "" || names.indexOf(name) !== k);
  if (odd.length > 0) {
    const shown = odd.map((name) => name === "" ? "one has none" : `${JSON.stringify(name)} occurs twice`);
    throw refuse(path, `its columns must have names of their own, but ${shown.join(", ")}`, header.line);
  }
  const ragged = records.filter(({ fields }) => fields.length !== names.length);
  if (ragged.length > 0) {
    const shown = ragged.slice(0, SHOWN).map(({ line, fields }) => `line ${line} (${fields.length})`).join(
      ", ",
    );
    const rest = ragged.length > SHOWN ? `, and ${ragged.length - SHOWN} more` : "";
    throw refuse(
      path,
      `${ragged.length} records have not ${names.length} fields: ${shown}${rest}`,
      ragged[0]!.line,
    );
  }
  if (records.length === 0) throw refuse(path, "it has no row but the names of its columns");
  return records.map(({ line, fields }) => ({
    line,
    value: Object.fromEntries(names.map((name, k) => [name, fields[k]!])),
  }));
}

/** All records in one pass. Slices of the text, never single characters, so that megabytes cost milliseconds. */
function recordsOf(text: string, delimiter: string, path: string): CsvRecord[] {
  const plainEnd = new RegExp(`[${delimiter}"\\r\\n]`, "g");
  const records: CsvRecord[] = [];
  let fields: string[] = [];
  let at = 0, line = 1, firstLine = 1;
  while (at < text.length) {
    let field: string;
    const isQuoted = text[at] === '"';
    if (isQuoted) {
      const end = closingQuote(text, at);
      if (end === undefined) throw refuse(path, `the quote in line ${line} is never closed`, line);
      field = text.slice(at + 1, end).replaceAll('""', '"');
      line += text.slice(at, end).split("\n").length - 1;
      at = end + 1;
    } else {
      plainEnd.lastIndex = at;
      const end = plainEnd.exec(text)?.index ?? text.length;
      field = text.slice(at, end);
      at = end;
    }
    fields.push(field);
    const next = text[at];
    if (next === delimiter) {
      at++;
      if (at < text.length) continue;
      fields.push(""); // a delimiter at the end of the file stands before an empty field
    } else if (next === "\n" || (next === "\r" && text[at + 1] === "\n")) {
      at += next === "\n" ? 1 : 2;
    } else if (next !== undefined) {
      const what = isQuoted
        ? "text follows a closing quote"
        : next === '"'
        ? "a quote stands inside a field"
        : "a lone CR";
      throw refuse(path, `${what} in line ${line}`, line);
    }
    const isBlank = fields.length === 1 && fields[0] === "" && !isQuoted;
    if (!isBlank) records.push({ line: firstLine, fields });
    fields = [];
    firstLine = ++line;
  }
  return records;
}

/** Index of the quote that closes the one at `open`; two quotes in a row are one of the text. */
function closingQuote(text: string, open: number): number | undefined {
  for (let at = text.indexOf('"', open + 1); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return undefined;
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split("\n").length;
}

function refuse(file: string, current: string, line?: number): DataError {
  return new DataError(
    `Cannot read ${file} as it must be a table in CSV (UTF-8): ${current}`,
    line === undefined ? { file } : { file, line },
  );
}
