/**
 * Decodes Arrow IPC files to typed columns. Lists are views of the file's bytes. Lengths, offsets, nulls and texts are
 * checked before they are used.
 * @module
 */
import {
  type Data,
  type RecordBatch,
  RecordBatchFileReader,
  RecordBatchReader,
  type Schema,
} from "apache-arrow";
import { ColumnError, DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { checkMetadata } from "./check_metadata.ts";
import { type Columns, isNullable, showArrowType, type TableSchema, typeOf } from "./column_schema.ts";
import { appendColumn } from "./decode_column.ts";

/** A decoded file. */
export interface ArrowTable<S extends TableSchema> {
  readonly rows: number;
  readonly columns: Columns<S>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** "ARROW1": the first and the last six bytes of every file. */
const MAGIC = [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31];

/**
 * Reads the columns of `schema` from an Arrow IPC file; other columns are ignored.
 * @param file its name, for messages
 * @returns lists as views of `bytes`, texts as strings, numbers as numbers
 * @throws {DataError} if the bytes are not a complete Arrow IPC file
 * @throws {ColumnError} listing every column that is missing or has another type; or naming the first row whose value is
 *   null, not UTF-8, or outside the file
 */
export function decodeArrow<const S extends TableSchema>(
  bytes: Uint8Array<ArrayBuffer>,
  schema: S,
  file: string,
): ArrowTable<S> {
  return opened(bytes, file, (reader) => {
    checkSchema(reader.schema, schema, file);
    const names = Object.keys(schema);
    const fields = reader.schema.fields.map((field) => field.name);
    const columns: Record<string, unknown[]> = Object.fromEntries(names.map((name) => [name, []]));
    let rows = 0;
    for (let i = 0; i < reader.numRecordBatches; i++) {
      const batch: RecordBatch | null = reader.readRecordBatch(i);
      if (batch === null) throw invalidFile(file, `no batch ${i} at the position in the footer`);
      for (const name of names) {
        const data = batch.data.children[fields.indexOf(name)] as Data;
        const place = { file, column: name, firstRow: rows };
        appendColumn(columns[name]!, data, { ...place, spec: schema[name]!, rows: batch.numRows });
      }
      rows += batch.numRows;
    }
    return { rows, columns: columns as unknown as Columns<S>, metadata: reader.schema.metadata };
  });
}

/**
 * Returns the metadata of an Arrow IPC file's schema, without reading its columns.
 * @throws {DataError} if the bytes are not a complete Arrow IPC file
 */
export function decodeArrowMetadata(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
): ReadonlyMap<string, string> {
  return opened(bytes, file, (reader) => reader.schema.metadata);
}

/**
 * Returns those columns of `schema` that an Arrow IPC file has, whatever their type.
 * @throws {DataError} if the bytes are not a complete Arrow IPC file
 */
export function presentColumns(
  bytes: Uint8Array<ArrayBuffer>,
  schema: TableSchema,
  file: string,
): TableSchema {
  const names = Object.keys(schema);
  if (names.length === 0) return {};
  return opened(bytes, file, (reader) => {
    const found = new Set(reader.schema.fields.map(({ name }) => name));
    return Object.fromEntries(names.filter((name) => found.has(name)).map((name) => [name, schema[name]!]));
  });
}

/** Calls `use` with a reader; failures inside the library are reported as a damaged file. */
function opened<T>(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
  use: (reader: RecordBatchFileReader) => T,
): T {
  const footer = checkFrame(bytes, file);
  try {
    checkMetadata(bytes, footer);
    const reader = RecordBatchReader.from(bytes).open();
    if (!(reader instanceof RecordBatchFileReader)) throw invalidFile(file, "it is a stream");
    return use(reader);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw invalidFile(file, `it is damaged (${(cause as Error).message})`, cause);
  }
}

/** Checks the magic bytes and the length of the footer. Returns the position of the footer. @throws {DataError} */
export function checkFrame(bytes: Uint8Array<ArrayBuffer>, file: string): number {
  if (bytes.length === 0) throw invalidFile(file, "it is empty");
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw invalidFile(file, "it does not begin with ARROW1");
  const end = bytes.length - MAGIC.length;
  if (end < 12 || !MAGIC.every((byte, i) => bytes[end + i] === byte)) {
    throw invalidFile(file, "it does not end with ARROW1, so it is incomplete or still being written");
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getInt32(end - 4, true);
  if (length <= 0 || length > end - 12) {
    throw invalidFile(file, `its footer claims ${length} of ${bytes.length} bytes`);
  }
  return end - 4 - length;
}

function checkSchema(actual: Schema, expected: TableSchema, file: string): void {
  const problems: string[] = [];
  let first: string | undefined;
  for (const [name, spec] of Object.entries(expected)) {
    const fields = actual.fields.filter((field) => field.name === name);
    const type = typeOf(spec);
    const found = fields[0] && showArrowType(fields[0].type);
    if (fields.length === 1 && found === type) continue;
    const current = fields.length > 1 ? `${fields.length} columns` : found ?? "no such column";
    problems.push(`column "${name}" must be ${type}${isNullable(spec) ? " or null" : ""}, got ${current}`);
    first ??= name;
  }
  if (first === undefined) return;
  throw new ColumnError(`${file}: ${listed(problems)}`, { file, column: first });
}

/** Returns the error for a file that is not a complete Arrow IPC file or stream. */
export function invalidFile(file: string, problem: string, cause?: unknown): DataError {
  return new DataError(`${file}: invalid Arrow file: ${problem}`, { file }, { cause });
}
