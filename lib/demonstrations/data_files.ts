/**
 * Opens users' data files of any format. The first bytes decide where they can (Arrow, Parquet), else the name's ending, else
 * the first character. In: a path, or a directory of such files. Out: rows as plain objects with their places.
 * @module
 */
import { extname, join } from "node:path";
import { decodeArrowRows } from "@/lib/arrow/decode_rows.ts";
import { readCsv } from "@/lib/files/csv.ts";
import { readError } from "@/lib/files/file_errors.ts";
import { fileSet, namedPaths } from "@/lib/files/file_pattern.ts";
import { readJsonRows } from "@/lib/files/json_rows.ts";
import { readJsonl } from "@/lib/files/jsonl.ts";
import { readParquet } from "@/lib/files/parquet.ts";
import { readTextDocuments } from "@/lib/files/text_documents.ts";
import { readWholeFile } from "@/lib/files/whole_file.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** A row and where it stands. */
export interface DataRow {
  /** the file that it is from */
  readonly file: string;
  /** `line` in text formats, else `row` */
  readonly unit: "line" | "row";
  /** number of the line or row, from 1 */
  readonly line: number;
  readonly value: Readonly<Record<string, unknown>>;
}

type Format = "jsonl" | "json" | "csv" | "tsv" | "parquet" | "arrow" | "text";

const ENDINGS: Readonly<Record<string, Format>> = {
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".json": "json",
  ".csv": "csv",
  ".tsv": "tsv",
  ".parquet": "parquet",
  ".arrow": "arrow",
  ".arrows": "arrow",
  ".feather": "arrow",
  ".txt": "text",
};

/**
 * The data files that `path` stands for: itself, the files of a directory with a known ending, or those that it names in
 * braces, sorted by name.
 * @throws {DataError} if there is nothing, or a directory without such a file
 */
export function dataFiles(path: string): string[] {
  if (fileSet(path) !== undefined) return namedPaths(path);
  try {
    if (!Deno.statSync(path).isDirectory) return [path];
    const names = [...Deno.readDirSync(path)].filter((entry) => entry.isFile).map(({ name }) => name);
    const files = names.filter((name) => Object.hasOwn(ENDINGS, extname(name))).sort();
    if (files.length > 0) return files.map((name) => join(path, name));
  } catch (cause) {
    throw readError(path, cause);
  }
  throw new DataError(
    `Cannot read ${path} as it must hold files that end with ${
      Object.keys(ENDINGS).join(", ")
    }: it holds none`,
    { file: path },
  );
}

/**
 * The rows of a data file. A document of a plain text is a row with the field `text`.
 * @throws {DataError} if the file is not what its format asks, or its format is unknown
 */
export async function readDataFile(file: string): Promise<DataRow[]> {
  const format = formatOf(file);
  const unit = format === "json" || format === "parquet" || format === "arrow" ? "row" : "line";
  const rows = await readRows(file, format);
  return rows.map(({ line, value }) => ({ file, unit, line, value }));
}

async function readRows(
  file: string,
  format: Format,
): Promise<readonly { readonly line: number; readonly value: Readonly<Record<string, unknown>> }[]> {
  switch (format) {
    case "jsonl":
      return readJsonl(file);
    case "json":
      return readJsonRows(file);
    case "csv":
      return readCsv(file);
    case "tsv":
      return readCsv(file, { delimiter: "\t" });
    case "parquet":
      return await readParquet(file);
    case "arrow":
      return decodeArrowRows(readWholeFile(file), file).map((value, k) => ({ line: k + 1, value }));
    case "text":
      return readTextDocuments(file).map(({ line, text }) => ({ line, value: { text } }));
  }
}

function formatOf(file: string): Format {
  const head = firstBytes(file);
  const text = new TextDecoder().decode(head);
  if (text.startsWith("ARROW1")) return "arrow";
  if (text.startsWith("PAR1")) return "parquet";
  const ending = ENDINGS[extname(file).toLowerCase()];
  if (ending !== undefined) return ending;
  if (head.length >= 4 && head.subarray(0, 4).every((byte) => byte === 0xff)) return "arrow";
  const [first] = text.trimStart();
  if (first === "{") return "jsonl";
  if (first === "[") return "json";
  throw new DataError(
    `Cannot read ${file} as its name must end with ${
      Object.keys(ENDINGS).join(", ")
    }, or its content tell: it is ` +
      `${JSON.stringify(text.slice(0, 8))} …`,
    { file },
  );
}

function firstBytes(file: string): Uint8Array {
  try {
    using opened = Deno.openSync(file);
    const bytes = new Uint8Array(64);
    return bytes.subarray(0, opened.readSync(bytes) ?? 0);
  } catch (cause) {
    throw readError(file, cause);
  }
}
