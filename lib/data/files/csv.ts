/**
 * Reads tables of text, by npm `csv-parse`: CSV by RFC 4180, or with another delimiter. The first record names the columns.
 * A byte order mark, LF and CRLF are allowed; line ends inside quotes are kept.
 * @module
 */
import { CsvError, parse } from "csv-parse/sync";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { JsonLine } from "./jsonl.ts";
import { readText } from "./whole_file.ts";

/** A record and the line on which it begins, from 1. */
interface CsvRecord {
  readonly line: number;
  readonly fields: string[];
}

/** Limit of the fields of a row. */
const MAX_COLUMNS = 10_000;

const PROBLEMS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "unclosed quote",
  CSV_INVALID_CLOSING_QUOTE: "text after a closing quote",
  INVALID_OPENING_QUOTE: "quote inside an unquoted field",
};

/**
 * Returns the rows of a CSV file, all values as texts; blank lines are skipped.
 * @param options.delimiter default: a comma
 * @throws {DataError} if the file is not UTF-8, a quote is unclosed or inside an unquoted field, a column has no name or
 *   the name of another, records have more or fewer fields than there are columns, or there is no record
 */
export function readCsv(path: string, options: { readonly delimiter?: string } = {}): JsonLine[] {
  const [header, ...records] = readRecords(path, options.delimiter ?? ",");
  if (header === undefined) throw invalid(path, undefined, "no header and no rows");
  const names = header.fields, seen = new Set<string>();
  const odd = names.filter((name) => name === "" || seen.has(name) || !seen.add(name));
  if (odd.length > 0) {
    const shown = odd.map((name) => name === "" ? "an empty name" : `${JSON.stringify(name)} twice`);
    throw invalid(
      path,
      header.line,
      `column names must be unique, got ${listed(shown, { separator: ", " })}`,
    );
  }
  const ragged = records.filter(({ fields }) => fields.length !== names.length);
  if (ragged.length > 0) {
    const shown = ragged.map(({ line, fields }) => `line ${line} has ${fields.length}`);
    const problem = `every row must have ${names.length} fields, but ${listed(shown, { separator: ", " })}`;
    throw invalid(path, ragged[0]!.line, problem);
  }
  if (records.length === 0) throw invalid(path, undefined, "no rows after the header");
  return records.map(({ line, fields }) => ({
    line,
    value: Object.fromEntries(names.map((name, k) => [name, fields[k]!])),
  }));
}

function readRecords(path: string, delimiter: string): CsvRecord[] {
  const bytes = new TextEncoder().encode(readText(path));
  const lineAt = lineCounter(bytes), records: CsvRecord[] = [];
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw invalid(path, lineAt(nul), "NUL byte");
  try {
    parse(bytes, {
      delimiter,
      record_delimiter: ["\n", "\r\n"],
      relax_column_count: true,
      skip_empty_lines: true,
      on_record: () => null, // the records are collected field by field, as the library miscounts lines inside quotes
      cast(value, { bytes: end, index, quoting }) {
        const line = lineAt(end) - value.split("\n").length + 1;
        if (index === 0) records.push({ line, fields: [] });
        if (index === MAX_COLUMNS) {
          throw invalid(path, line, `a row must have at most ${MAX_COLUMNS} fields, got more`);
        }
        if (!quoting && value.includes("\r")) throw invalid(path, line, "CR without LF", index);
        records.at(-1)!.fields.push(value);
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    // The library has counted the bytes before the bad field; it begins after the next delimiter or line ends.
    const { bytes: before = 0, index = 0 } = error as { readonly bytes?: number; readonly index?: number };
    const blank = /^[\r\n]*/.exec(new TextDecoder().decode(bytes.subarray(before, before + 1024)))![0].length;
    throw invalid(path, lineAt(before + blank), PROBLEMS[error.code] ?? error.message, index);
  }
  return records;
}

/** Returns a function that gives the line, from 1, of a byte; each call must ask for a byte not before the last one. */
function lineCounter(bytes: Uint8Array): (at: number) => number {
  let line = 1, counted = 0;
  return (at) => {
    for (
      let next = bytes.indexOf(0x0a, counted);
      next >= 0 && next < at;
      next = bytes.indexOf(0x0a, counted)
    ) {
      line++;
      counted = next + 1;
    }
    return line;
  };
}

function invalid(file: string, line: number | undefined, problem: string, index?: number): DataError {
  const place = line === undefined ? file : `${file}:${line}`;
  const column = index === undefined ? "" : `, column ${index + 1}`;
  return new DataError(
    `${place}: invalid CSV${column}: ${problem}`,
    line === undefined ? { file } : { file, line },
  );
}
