/**
 * Decodes any Arrow IPC file or stream to one object per row: texts (plain, large, dictionary-encoded), numbers, booleans,
 * and lists and structs of them. Columns of other types are skipped. Lengths, offsets and texts are checked before use.
 * @module
 */
import {
  type Data,
  DataType,
  type RecordBatch,
  type RecordBatchFileReader,
  RecordBatchReader,
  type Schema,
  type Vector,
} from "apache-arrow";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { checkMetadata, checkStream } from "./check_metadata.ts";
import {
  checkCount,
  type ColumnPlace,
  invalidColumn,
  isBitSet,
  offsetsOf,
  textReader,
  validityOf,
} from "./column_buffers.ts";
import { checkFrame, invalidFile } from "./decode_arrow.ts";

/**
 * Returns the rows of an Arrow IPC file or stream. 64-bit integers become numbers, or texts where a number is not exact.
 * @param file its name, for messages
 * @throws {DataError} if the bytes are neither, are damaged, or have no row
 * @throws {ColumnError} naming a column whose values are outside their buffers or not UTF-8
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
    for (const batch of reader.isFile() ? fileBatches(reader) : reader) {
      const firstRow = rows.length + 1;
      const columns = schema.fields.flatMap(({ name }, k) => {
        const data = batch.data.children[k] as Data;
        if (!isReadable(data.type)) return [];
        const place = { file, column: name, firstRow };
        if (data.length !== batch.numRows) {
          throw invalidColumn(place, `needs ${batch.numRows} values, got ${data.length}`);
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
    throw invalidFile(file, `it is damaged (${(cause as Error).message})`, cause);
  }
  throw invalidFile(file, "it has no rows");
}

/** Yields the batches of a file by number: read in order, the library reads a message of another kind again without end. */
function* fileBatches(reader: RecordBatchFileReader): Generator<RecordBatch> {
  for (let i = 0; i < reader.numRecordBatches; i++) {
    const batch = reader.readRecordBatch(i);
    if (batch === null) throw new RangeError(`no batch ${i} at the position in the footer`);
    yield batch;
  }
}

function refuseEqualNames({ fields }: Schema, file: string): void {
  const names = fields.map(({ name }) => name);
  const equal = names.filter((name, k) => names.indexOf(name) !== k);
  if (equal.length > 0) throw invalidFile(file, `several columns are named ${JSON.stringify(equal[0])}`);
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

/** Returns all values of `data`; null for a missing one. */
function valuesOf(data: Data, place: ColumnPlace): unknown[] {
  const { type, length } = data;
  if (DataType.isNull(type)) return Array(length).fill(null);
  const isValid = validityOf(data, place);
  const read = readerOf(data, place);
  return Array.from({ length }, (_, row) => isValid(row) ? read(row) : null);
}

/** Returns a function that gives the value of a row. */
function readerOf(data: Data, place: ColumnPlace): (row: number) => unknown {
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
      checkCount(place, `values of "${name}"`, data.length, values.length);
      return [name, values] as const;
    });
    return (row) => Object.fromEntries(fields.map(([name, values]) => [name, values[row]]));
  }
  const values = data.values as ArrayLike<number | bigint>;
  if (DataType.isBool(type)) {
    const bits = data.values as Uint8Array;
    checkCount(place, "bits", data.length, bits.length * 8);
    return (row) => isBitSet(bits, row + data.offset);
  }
  checkCount(place, "values", data.length, values.length);
  return (row) => {
    const value = values[row]!;
    if (typeof value === "number") return value;
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  };
}

function dictionaryReader(data: Data, place: ColumnPlace): (row: number) => unknown {
  const { data: chunks } = data.dictionary as Vector;
  const words = chunks.flatMap((chunk) => valuesOf(chunk as Data, place));
  const indices = data.values as ArrayLike<number | bigint>;
  checkCount(place, "indices", data.length, indices.length);
  return (row) => {
    const index = Number(indices[row]);
    if (index >= 0 && index < words.length) return words[index];
    throw invalidColumn(
      place,
      `its index must be below the ${words.length} dictionary entries, got ${index}`,
      row,
    );
  };
}
