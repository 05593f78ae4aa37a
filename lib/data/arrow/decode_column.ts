/** Reads the values of one column of one batch into an array. @module */
import type { Data } from "apache-arrow";
import {
  checkCount,
  type ColumnPlace,
  invalidColumn,
  offsetsOf,
  textReader,
  validityOf,
} from "./column_buffers.ts";
import { type ColumnSpec, isNullable, typeOf } from "./column_schema.ts";

/**
 * Appends the values of a batch's column to `into`; lists are views of the batch's buffer.
 * @param rows of the batch
 * @throws {ColumnError} naming the first row whose value is null but must not be, is outside its buffer, is not UTF-8, or
 *   is an i64 that a number cannot represent exactly
 */
export function appendColumn(
  into: unknown[],
  data: Data,
  { spec, rows, ...place }: ColumnPlace & { readonly spec: ColumnSpec; readonly rows: number },
): void {
  if (data.length !== rows) {
    throw invalidColumn(place, `needs ${rows} values in this batch, got ${data.length}`);
  }
  const isValid = validityOf(data, place);
  const type = typeOf(spec);
  const read = type === "utf8"
    ? textReader(data, place)
    : type.startsWith("list")
    ? listReader(data, place)
    : numberReader(data, place);
  for (let row = 0; row < rows; row++) {
    if (isValid(row)) into.push(read(row));
    else if (isNullable(spec)) into.push(null);
    else throw invalidColumn(place, `must be ${spec}, got null`, row);
  }
}

function numberReader(data: Data, place: ColumnPlace): (row: number) => number {
  const values = data.values as ArrayLike<number | bigint>;
  checkCount(place, "values in this batch", data.length, values.length);
  return (row) => {
    const value = values[row]!, number = Number(value);
    if (typeof value === "number" || Number.isSafeInteger(number)) return number;
    throw invalidColumn(place, `must be an integer of magnitude below 2^53, got ${value}`, row);
  };
}

function listReader(data: Data, place: ColumnPlace): (row: number) => unknown {
  const child = data.children[0] as Data;
  const values = child.values as Int32Array | Float32Array | Uint8Array;
  const offsets = offsetsOf(data, place, Math.min(child.length, values.length)) as Int32Array;
  if (child.nullCount > 0) throw invalidColumn(place, `lists must not hold nulls, got ${child.nullCount}`);
  return (row) => values.subarray(offsets[row], offsets[row + 1]);
}
