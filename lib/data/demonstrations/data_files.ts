/**
 * Reads users' data files of any format as plain objects with their places. The format is recognised by the first bytes
 * (Arrow, Parquet), else by the name's ending, else by the first character.
 * @module
 */
import { extname, join } from "node:path";
import { decodeArrowRows } from "@/lib/data/arrow/decode_rows.ts";
import { readCsv } from "@/lib/data/files/csv.ts";
import { reading } from "@/lib/data/files/file_errors.ts";
import { fileSet, namedPaths } from "@/lib/data/files/file_pattern.ts";
import { readJsonRows } from "@/lib/data/files/json.ts";
import { type JsonLine, readJsonl } from "@/lib/data/files/jsonl.ts";
import { readParquet } from "@/lib/data/files/parquet.ts";
import { readTextDocuments } from "@/lib/data/files/text_documents.ts";
import { checkRegular, readWholeFile } from "@/lib/data/files/whole_file.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** The rows of a file. */
export interface DataRows {
  /** what `line` of a row counts, from 1 */
  readonly unit: "line" | "row";
  readonly rows: readonly JsonLine[];
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

const KNOWN_ENDINGS = Object.keys(ENDINGS).join(", ");

/**
 * Returns the data files that `path` stands for: itself, the files of a directory with a known ending, or those named in
 * braces, sorted by name.
 * @throws {DataError} if nothing exists there, or a directory has no such file
 */
export function dataFiles(path: string): string[] {
  if (fileSet(path) !== undefined) return namedPaths(path);
  if (!reading(path, () => Deno.statSync(path)).isDirectory) return [path];
  const entries = reading(path, () => [...Deno.readDirSync(path)]);
  const names = entries.filter(({ name, isFile }) => isFile && Object.hasOwn(ENDINGS, extname(name)))
    .map(({ name }) => name).sort();
  if (names.length > 0) return names.map((name) => join(path, name));
  throw new DataError(`${path} must hold files that end with ${KNOWN_ENDINGS}, got none`, { file: path });
}

/**
 * Returns the rows of a data file. A document of a plain text is a row with the field `text`.
 * @throws {DataError} if the file is invalid, or its format is unknown
 */
export async function readDataFile(file: string): Promise<DataRows> {
  const format = formatOf(file);
  const unit = format === "json" || format === "parquet" || format === "arrow" ? "row" : "line";
  return { unit, rows: await readRows(file, format) };
}

async function readRows(file: string, format: Format): Promise<JsonLine[]> {
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
      return readTextDocuments(file);
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
    `${file} must end with ${KNOWN_ENDINGS}, or begin like one of these formats, got ${
      JSON.stringify(text.slice(0, 8))
    } …`,
    { file },
  );
}

function firstBytes(file: string): Uint8Array {
  return reading(file, () => {
    checkRegular(file);
    using opened = Deno.openSync(file);
    const bytes = new Uint8Array(64);
    return bytes.subarray(0, opened.readSync(bytes) ?? 0);
  });
}
