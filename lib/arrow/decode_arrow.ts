/**
 * The bytes of an Arrow IPC file in, typed columns out. Lists come as views of the file's bytes. Nothing that the file
 * claims is believed: lengths, offsets, nulls and text are checked before they are used.
 * @module
 */
import {
  type Data,
  type RecordBatch,
  RecordBatchFileReader,
  RecordBatchReader,
  type Schema,
} from "apache-arrow";
import { ColumnError, DataError } from "@/lib/tensor/errors.ts";
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
 * Reads the columns of `schema` from an Arrow IPC file; columns beyond those are ignored.
 * @param file its name, for messages
 * @returns lists as views of `bytes`, texts as strings, numbers as numbers
 * @throws {DataError} if the bytes are no whole Arrow IPC file
 * @throws {ColumnError} listing every column that is missing or of another type; or naming the first row whose value is
 *   null, not UTF-8, or outside of the file
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
      if (batch === null) throw refuse(file, `batch ${i} is not where the footer says`);
      for (const name of names) {
        const data = batch.data.children[fields.indexOf(name)] as Data;
        appendColumn(columns[name]!, data, {
          file,
          name,
          spec: schema[name]!,
          firstRow: rows,
          rows: batch.numRows,
        });
      }
      rows += batch.numRows;
    }
    return { rows, columns: columns as unknown as Columns<S>, metadata: reader.schema.metadata };
  });
}

/**
 * The metadata of an Arrow IPC file's schema, without its columns.
 * @throws {DataError} if the bytes are no whole Arrow IPC file
 */
export function decodeArrowMetadata(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
): ReadonlyMap<string, string> {
  return opened(bytes, file, (reader) => reader.schema.metadata);
}

/** Runs `use` on a reader; what goes wrong inside the library is the file's fault. */
function opened<T>(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
  use: (reader: RecordBatchFileReader) => T,
): T {
  const footer = checkFrame(bytes, file);
  try {
    checkMetadata(bytes, footer);
    const reader = RecordBatchReader.from(bytes).open();
    if (!(reader instanceof RecordBatchFileReader)) throw refuse(file, "it is a stream");
    return use(reader);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw refuse(file, `it is damaged (${(cause as Error).message})`, cause);
  }
}

/** Checks magic and footer length, so that the library finds a file and not a stream. Gives the footer's position. */
export function checkFrame(bytes: Uint8Array<ArrayBuffer>, file: string): number {
  if (bytes.length === 0) throw refuse(file, "it is empty");
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw refuse(file, "it does not begin with ARROW1");
  const end = bytes.length - MAGIC.length;
  if (end < 12 || !MAGIC.every((byte, i) => bytes[end + i] === byte)) {
    throw refuse(file, "it does not end with ARROW1, so it was cut or is still being written");
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getInt32(end - 4, true);
  if (length <= 0 || length > end - 12) {
    throw refuse(file, `its footer claims ${length} of ${bytes.length} bytes`);
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
    const current = fields.length > 1
      ? `there are ${fields.length}`
      : found === undefined
      ? "it is missing"
      : `it is ${found}`;
    problems.push(`column "${name}" must be ${type}${isNullable(spec) ? " or null" : ""}: ${current}`);
    first ??= name;
  }
  if (first === undefined) return;
  throw new ColumnError(
    `Cannot read ${file} as it must have the columns of its kind: ${problems.join("; ")}`,
    {
      file,
      column: first,
    },
  );
}

function refuse(file: string, current: string, cause?: unknown): DataError {
  return new DataError(`Cannot read ${file} as it must be a whole Arrow IPC file: ${current}`, { file }, {
    cause,
  });
}
