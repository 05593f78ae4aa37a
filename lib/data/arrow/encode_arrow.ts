/**
 * Encodes columns as an Arrow IPC file. Batches have a fixed number of rows, so that equal columns give equal bytes. The
 * lists of a batch are joined in one typed array, which Arrow uses without a copy.
 * @module
 */
import {
  type DataType,
  Field,
  type List,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  Schema,
  Struct,
  type Utf8,
} from "apache-arrow";
import { ColumnError } from "@/lib/compute/tensor/errors.ts";
import {
  arrowType,
  type Columns,
  type ColumnSpec,
  isNullable,
  type TableSchema,
  typeOf,
} from "./column_schema.ts";

/** Rows per batch; the last batch may have fewer. */
export const BATCH_ROWS = 2048;

type ArrowData = ReturnType<typeof makeData>;
type ListArray = Int32Array | Float32Array | Uint8Array;

/**
 * Returns the bytes of an Arrow IPC file.
 * @param schema names and types of the columns, in order
 * @param columns one value per row; all of the same length
 * @param metadata of the schema
 * @throws {ColumnError} if columns differ in length, a value is null in a column without nulls, an i32 or i64 is not such
 *   an integer, or a text has half a surrogate pair
 */
export function encodeArrow<const S extends TableSchema>(
  schema: S,
  columns: Columns<S>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array<ArrayBuffer> {
  const names = Object.keys(schema);
  const rows = rowCount(names, columns);
  const arrowSchema = new Schema(
    names.map((name) => new Field(name, arrowType(typeOf(schema[name]!)), isNullable(schema[name]!))),
    new Map(metadata),
  );
  const writer = new RecordBatchFileWriter();
  writer.reset(undefined, arrowSchema);
  for (let begin = 0; begin < rows; begin += BATCH_ROWS) {
    const end = Math.min(rows, begin + BATCH_ROWS);
    const children = names.map((name) => encodeColumn(name, schema[name]!, columns[name]!, begin, end));
    const struct = makeData({
      type: new Struct(arrowSchema.fields),
      length: end - begin,
      nullCount: 0,
      children,
    });
    writer.write(new RecordBatch(arrowSchema, struct));
  }
  writer.finish();
  return writer.toUint8Array(true) as Uint8Array<ArrayBuffer>;
}

function rowCount(names: readonly string[], columns: Readonly<Record<string, ArrayLike<unknown>>>): number {
  const lengths = names.map((name) => columns[name]!.length);
  if (new Set(lengths).size > 1) {
    throw new ColumnError(
      "All columns of a table must have the same number of rows, got " +
        names.map((name, i) => `${lengths[i]} in ${name}`).join(", "),
    );
  }
  return lengths[0] ?? 0;
}

/** Returns rows [begin, end) of a column as Arrow data. */
function encodeColumn(
  name: string,
  spec: ColumnSpec,
  values: ArrayLike<unknown>,
  begin: number,
  end: number,
): ArrowData {
  const length = end - begin;
  const at: At = { name, begin };
  const part = Array.prototype.slice.call(values, begin, end) as unknown[];
  const { nullBitmap, nullCount } = nulls(at, spec, part);
  const common = { length, nullCount, nullBitmap };
  const type = typeOf(spec);
  switch (type) {
    case "utf8": {
      const { offsets, data } = encodeTexts(at, part as (string | null)[]);
      return makeData({ ...common, type: arrowType(type) as Utf8, valueOffsets: offsets, data });
    }
    case "i32":
      return scalars(
        type,
        common,
        Int32Array.from(part as (number | null)[], (v, i) => integer(at, i, v ?? 0, 31)),
      );
    case "i64":
      return scalars(
        type,
        common,
        BigInt64Array.from(part as number[], (v, i) => BigInt(integer(at, i, v ?? 0, 53))),
      );
    case "f64":
      return scalars(type, common, Float64Array.from(part as (number | null)[], (v) => v ?? 0));
    default:
      return lists(type, common, part as (ListArray | null)[]);
  }
}

/** Place of a batch: a column, and its row at index 0. */
interface At {
  readonly name: string;
  readonly begin: number;
}

interface Common {
  readonly length: number;
  readonly nullCount: number;
  readonly nullBitmap: Uint8Array | null;
}

function scalars(
  type: "i32" | "i64" | "f64",
  common: Common,
  data: Int32Array | BigInt64Array | Float64Array,
): ArrowData {
  return makeData({ ...common, type: arrowType(type), data } as Parameters<typeof makeData>[0]);
}

const LIST_ARRAYS = { "list<i32>": Int32Array, "list<f32>": Float32Array, "list<u8>": Uint8Array } as const;

/** Returns lists as Arrow data, joined in one array of elements. */
function lists(
  type: keyof typeof LIST_ARRAYS,
  common: Common,
  values: readonly (ListArray | null)[],
): ArrowData {
  const valueOffsets = new Int32Array(values.length + 1);
  for (let i = 0; i < values.length; i++) valueOffsets[i + 1] = valueOffsets[i]! + (values[i]?.length ?? 0);
  const data = new LIST_ARRAYS[type](valueOffsets[values.length]!);
  for (let i = 0; i < values.length; i++) {
    const list = values[i];
    if (list) data.set(list, valueOffsets[i]!);
  }
  const listType = arrowType(type) as List;
  const child = makeData(
    {
      type: listType.children[0]!.type as DataType,
      length: data.length,
      nullCount: 0,
      data,
    } as Parameters<typeof makeData>[0],
  );
  return makeData({ ...common, type: listType, valueOffsets, child });
}

/** Returns texts as UTF-8, joined in one array of bytes. */
function encodeTexts(at: At, texts: readonly (string | null)[]): { offsets: Int32Array; data: Uint8Array } {
  const encoder = new TextEncoder();
  const offsets = new Int32Array(texts.length + 1);
  const parts = texts.map((text, i) => {
    if (text !== null && !text.isWellFormed()) {
      throw invalid(at, i, "well-formed Unicode, got half a surrogate pair");
    }
    const bytes = encoder.encode(text ?? "");
    offsets[i + 1] = offsets[i]! + bytes.length;
    return bytes;
  });
  const data = new Uint8Array(offsets[texts.length]!);
  parts.forEach((bytes, i) => data.set(bytes, offsets[i]!));
  return { offsets, data };
}

/** Returns the validity bitmap (one bit per row, 1 = has a value), or null if every row has a value. */
function nulls(
  at: At,
  spec: ColumnSpec,
  values: readonly unknown[],
): { nullBitmap: Uint8Array | null; nullCount: number } {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 64) * 8);
  let nullCount = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] === null || values[i] === undefined) nullCount++;
    else nullBitmap[i >> 3]! |= 1 << (i & 7);
    if (nullCount === 1 && !isNullable(spec)) throw invalid(at, i, `${spec}, got ${values[i]}`);
  }
  return nullCount === 0 ? { nullBitmap: null, nullCount } : { nullBitmap, nullCount };
}

/** Returns `value`, an integer of at most `bits` bits and a sign. @throws {ColumnError} if it is not */
function integer(at: At, index: number, value: number, bits: number): number {
  const limit = 2 ** bits;
  if (Number.isInteger(value) && value >= -limit && value < limit) return value;
  throw invalid(at, index, `an integer of magnitude below 2^${bits}, got ${value}`);
}

function invalid({ name, begin }: At, index: number, requirement: string): ColumnError {
  const row = begin + index;
  return new ColumnError(`Column "${name}", row ${row}, must be ${requirement}`, { column: name, row });
}
