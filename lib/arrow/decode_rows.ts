/**
 * A stranger's Arrow IPC file or stream in, one object a row out: texts (plain, large, dictionary-encoded), numbers, booleans,
 * and lists and structs of them. Columns of other types are left out. Nothing that the bytes claim is believed.
 * @module
 */
import { type Data, DataType, RecordBatchReader, type Schema, type Vector } from "apache-arrow";
import { ColumnError, DataError } from "@/lib/tensor/errors.ts";
import { checkMetadata, checkStream } from "./check_metadata.ts";
import { checkFrame } from "./decode_arrow.ts";

/** A column of a file, or a part of one, for messages. */
interface Place {
  readonly file: string;
  readonly column: string;
  /** rows of earlier batches */
  readonly firstRow: number;
}

/**
 * The rows of an Arrow IPC file, or of a stream. Integers of 64 bits come as numbers where a number holds them, else as texts.
 * @param file its name, for messages
 * @throws {DataError} if the bytes are neither, or are damaged, or hold no row
 * @throws {ColumnError} naming the column whose values lie outside of their buffers, or are not UTF-8
 */
export function decodeArrowRows(bytes: Uint8Array<ArrayBuffer>, file: string): Record<string, unknown>[] {
  const isStream = bytes.length >= 8 && bytes.subarray(0, 4).every((byte) => byte === 0xff);
  const footer = isStream ? undefined : checkFrame(bytes, file);
  try {
    if (footer === undefined) checkStream(bytes);
    else checkMetadata(bytes, footer);
    const reader = RecordBatchReader.from(bytes).open();
    const schema: Schema = reader.schema;
    refuseEqualNames(schema, file);
    const rows: Record<string, unknown>[] = [];
    for (const batch of reader) {
      const firstRow = rows.length;
      const columns = schema.fields.flatMap(({ name }, k) => {
        const data = batch.data.children[k] as Data;
        if (!isReadable(data.type)) return [];
        const place = { file, column: name, firstRow };
        if (data.length !== batch.numRows) {
          throw refuse(place, `have ${batch.numRows} values`, `it has ${data.length}`);
        }
        return [[name, valuesOf(data, place)] as const];
      });
      for (let row = 0; row < batch.numRows; row++) {
        rows.push(Object.fromEntries(columns.map(([name, values]) => [name, values[row]])));
      }
    }
    if (rows.length > 0) return rows;
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw refuseFile(file, `it is damaged (${(cause as Error).message})`, cause);
  }
  throw refuseFile(file, "it has no row");
}

function refuseEqualNames({ fields }: Schema, file: string): void {
  const names = fields.map(({ name }) => name);
  const equal = names.filter((name, k) => names.indexOf(name) !== k);
  if (equal.length > 0) throw refuseFile(file, `more than one column is named ${JSON.stringify(equal[0])}`);
}

function isReadable(type: DataType): boolean {
  if (DataType.isDictionary(type)) return isReadable(type.dictionary);
  if (isList(type) || DataType.isStruct(type)) {
    return (type.children as { type: DataType }[]).every((child) => isReadable(child.type));
  }
  return DataType.isNull(type) || DataType.isUtf8(type) || DataType.isLargeUtf8(type) ||
    DataType.isBool(type) ||
    DataType.isInt(type) || (DataType.isFloat(type) && type.precision > 0);
}

function isList(type: DataType): boolean {
  return DataType.isList(type) || DataType.isLargeList(type);
}

/** All values of `data`; null where one is missing. */
function valuesOf(data: Data, place: Place): unknown[] {
  const { type, length } = data;
  if (DataType.isNull(type)) return Array(length).fill(null);
  const isThere = validity(data, place);
  const read = readerOf(data, place);
  return Array.from({ length }, (_, row) => isThere(row) ? read(row) : null);
}

/** What gives the value of a row. */
function readerOf(data: Data, place: Place): (row: number) => unknown {
  const { type } = data;
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return textReader(data, place);
  if (DataType.isDictionary(type)) return dictionaryReader(data, place);
  if (isList(type)) {
    const items = valuesOf(data.children[0] as Data, place);
    const offsets = offsetsOf(data, place, items.length);
    return (row) => items.slice(Number(offsets[row]), Number(offsets[row + 1]));
  }
  if (DataType.isStruct(type)) {
    const fields = type.children.map(({ name }, k) => {
      const values = valuesOf(data.children[k] as Data, place);
      if (values.length < data.length) {
        throw refuse(place, `have ${data.length} of "${name}"`, `it has ${values.length}`);
      }
      return [name, values] as const;
    });
    return (row) => Object.fromEntries(fields.map(([name, values]) => [name, values[row]]));
  }
  const values = data.values as ArrayLike<number | bigint>;
  if (DataType.isBool(type)) {
    const bits = data.values as Uint8Array;
    if (bits.length * 8 < data.length) {
      throw refuse(place, `have ${data.length} bits`, `it has ${bits.length * 8}`);
    }
    return (row) => (bits[(row + data.offset) >> 3]! >> ((row + data.offset) & 7) & 1) === 1;
  }
  if (values.length < data.length) {
    throw refuse(place, `have ${data.length} values`, `it has ${values.length}`);
  }
  return (row) => {
    const value = values[row]!;
    if (typeof value === "number") return value;
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  };
}

function textReader(data: Data, place: Place): (row: number) => string {
  const bytes = data.values as Uint8Array;
  const offsets = offsetsOf(data, place, bytes.length);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return (row) => {
    try {
      return decoder.decode(bytes.subarray(Number(offsets[row]), Number(offsets[row + 1])));
    } catch {
      throw refuse({ ...place, firstRow: place.firstRow + row }, "be UTF-8", "its bytes are not", true);
    }
  };
}

function dictionaryReader(data: Data, place: Place): (row: number) => unknown {
  const { data: chunks } = data.dictionary as Vector;
  const words = chunks.flatMap((chunk) => valuesOf(chunk as Data, place));
  const indices = data.values as ArrayLike<number | bigint>;
  if (indices.length < data.length) {
    throw refuse(place, `have ${data.length} indices`, `it has ${indices.length}`);
  }
  return (row) => {
    const index = Number(indices[row]);
    if (index >= 0 && index < words.length) return words[index];
    const at = { ...place, firstRow: place.firstRow + row };
    throw refuse(at, `point into its dictionary of ${words.length}`, `the index is ${index}`, true);
  };
}

function validity(data: Data, place: Place): (row: number) => boolean {
  if (data.nullCount === 0) return () => true;
  const bitmap = data.nullBitmap as Uint8Array | null;
  if (bitmap === null || bitmap.length * 8 < data.length) {
    throw refuse(place, `have ${data.length} validity bits`, `it has ${(bitmap?.length ?? 0) * 8}`);
  }
  return (row) => (bitmap[(row + data.offset) >> 3]! >> ((row + data.offset) & 7) & 1) === 1;
}

/** Offsets that do not go down, nor leave the `limit` elements that there are. */
function offsetsOf(data: Data, place: Place, limit: number): ArrayLike<number | bigint> {
  const offsets = data.valueOffsets as ArrayLike<number | bigint>;
  if (data.length === 0) return offsets;
  if (offsets.length < data.length + 1) {
    throw refuse(place, `have ${data.length + 1} offsets`, `it has ${offsets.length}`);
  }
  let before = 0;
  for (let row = 0; row <= data.length; row++) {
    const offset = Number(offsets[row]);
    if (offset < before || offset > limit) {
      throw refuse(place, `have offsets that rise from 0 to at most ${limit}`, `${offset} follows ${before}`);
    }
    before = offset;
  }
  return offsets;
}

function refuse(place: Place, requirement: string, current: string, isRow = false): ColumnError {
  const { file, column, firstRow: row } = place;
  return new ColumnError(
    `Cannot read column "${column}"${
      isRow ? `, row ${row + 1},` : ""
    } of ${file} as it must ${requirement}: ${current}`,
    { file, column, ...(isRow && { row }) },
  );
}

function refuseFile(file: string, current: string, cause?: unknown): DataError {
  return new DataError(`Cannot read ${file} as it must be a whole Arrow IPC file or stream: ${current}`, {
    file,
  }, {
    cause,
  });
}
