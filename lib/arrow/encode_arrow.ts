/**
 * Columns in, the bytes of an Arrow IPC file out. Batches have a fixed number of rows, so that equal columns give equal
 * bytes. Lists are laid end to end in one typed array for each batch, which Arrow takes as it is.
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
import { ColumnError } from "@/lib/tensor/errors.ts";
import {
  arrowType,
  type Columns,
  type ColumnSpec,
  isNullable,
  type TableSchema,
  typeOf,
} from "./column_schema.ts";

/** Rows of every batch but the last. */
export const BATCH_ROWS = 2048;

type ArrowData = ReturnType<typeof makeData>;
type ListArray = Int32Array | Float32Array | Uint8Array;

/**
 * The bytes of an Arrow IPC file.
 * @param schema names and types of the columns, in order
 * @param columns one value a row; all of the same length
 * @param metadata of the schema
 * @throws {ColumnError} if columns differ in length, a value is null where that is not said, an i32 or i64 is no such
 *   integer, or a text holds half a surrogate pair
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
      "Cannot write a table as its columns must have the same number of rows: " +
        names.map((name, i) => `${name} has ${lengths[i]}`).join(", "),
    );
  }
  return lengths[0] ?? 0;
}

/** Rows [begin, end) of a column as Arrow data. */
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
    case "list<i32>":
      return lists(type, common, part as (Int32Array | null)[], Int32Array);
    case "list<f32>":
      return lists(type, common, part as (Float32Array | null)[], Float32Array);
    case "list<u8>":
      return lists(type, common, part as (Uint8Array | null)[], Uint8Array);
  }
}

/** Where a value stands: column, and the row that index 0 of the batch is. */
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

/** Lists end to end in one array of elements. */
function lists<A extends ListArray>(
  type: "list<i32>" | "list<f32>" | "list<u8>",
  common: Common,
  values: readonly (A | null)[],
  ArrayOf: new (length: number) => A,
): ArrowData {
  const valueOffsets = new Int32Array(values.length + 1);
  for (let i = 0; i < values.length; i++) valueOffsets[i + 1] = valueOffsets[i]! + (values[i]?.length ?? 0);
  const data = new ArrayOf(valueOffsets[values.length]!);
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

/** Texts as UTF-8, end to end. */
function encodeTexts(at: At, texts: readonly (string | null)[]): { offsets: Int32Array; data: Uint8Array } {
  const encoder = new TextEncoder();
  const offsets = new Int32Array(texts.length + 1);
  const parts = texts.map((text, i) => {
    if (text !== null && !text.isWellFormed()) {
      throw refuse(at, i, "be well-formed Unicode", "it has half a surrogate pair");
    }
    const bytes = encoder.encode(text ?? "");
    offsets[i + 1] = offsets[i]! + bytes.length;
    return bytes;
  });
  const data = new Uint8Array(offsets[texts.length]!);
  parts.forEach((bytes, i) => data.set(bytes, offsets[i]!));
  return { offsets, data };
}

/** The validity bitmap (a bit per row, 1 = there), or null where every value is there. */
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
    if (nullCount === 1 && !isNullable(spec)) throw refuse(at, i, `be ${spec}`, `it is ${values[i]}`);
  }
  return nullCount === 0 ? { nullBitmap: null, nullCount } : { nullBitmap, nullCount };
}

/** `value` if it is an integer of at most `bits` bits besides the sign. */
function integer(at: At, index: number, value: number, bits: number): number {
  const limit = 2 ** bits;
  if (Number.isInteger(value) && value >= -limit && value < limit) return value;
  throw refuse(at, index, `be an integer of magnitude below 2^${bits}`, `it is ${value}`);
}

function refuse({ name, begin }: At, index: number, requirement: string, current: string): ColumnError {
  const row = begin + index;
  return new ColumnError(`Cannot write column "${name}", row ${row}, as it must ${requirement}: ${current}`, {
    column: name,
    row,
  });
}
