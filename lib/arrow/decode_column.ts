/** The values of one column of one batch, checked against the buffers that they lie in. @module */
import type { Data } from "apache-arrow";
import { ColumnError } from "@/lib/tensor/errors.ts";
import { type ColumnSpec, isNullable, typeOf } from "./column_schema.ts";

/** Which column of which file, and which rows of it a batch holds. */
export interface ColumnPlace {
  readonly file: string;
  readonly name: string;
  readonly spec: ColumnSpec;
  /** row of the file that is row 0 of the batch */
  readonly firstRow: number;
  /** rows of the batch */
  readonly rows: number;
}

/**
 * Appends the values of a batch's column to `into`; lists are views of the batch's buffer.
 * @throws {ColumnError} naming the first row whose value is null where it must not be, lies outside of its buffer, is
 *   not UTF-8, or is an i64 that no number holds exactly
 */
export function appendColumn(into: unknown[], data: Data, place: ColumnPlace): void {
  if (data.length !== place.rows) {
    throw refuse(place, undefined, `have ${place.rows} values in this batch`, `it has ${data.length}`);
  }
  const isThere = validity(data, place);
  const type = typeOf(place.spec);
  switch (type) {
    case "utf8":
      return appendTexts(into, data, place, isThere);
    case "i32":
    case "i64":
    case "f64":
      return appendNumbers(into, data, place, isThere);
    case "list<i32>":
    case "list<f32>":
    case "list<u8>":
      return appendLists(into, data, place, isThere);
  }
}

type IsThere = (row: number) => boolean;

function validity(data: Data, place: ColumnPlace): IsThere {
  if (data.nullCount === 0) return () => true;
  const bitmap = data.nullBitmap as Uint8Array | null;
  if (bitmap === null || bitmap.length * 8 < data.length) {
    throw refuse(
      place,
      undefined,
      "have a validity bit for every row",
      `it has ${(bitmap?.length ?? 0) * 8}`,
    );
  }
  function isThere(row: number): boolean {
    return (bitmap![row >> 3]! >> (row & 7) & 1) === 1;
  }
  if (!isNullable(place.spec)) {
    for (let row = 0; row < data.length; row++) {
      if (!isThere(row)) throw refuse(place, row, `be ${place.spec}`, "it is null");
    }
  }
  return isThere;
}

function appendNumbers(into: unknown[], data: Data, place: ColumnPlace, isThere: IsThere): void {
  const values = data.values as ArrayLike<number | bigint>;
  if (values.length < data.length) {
    throw refuse(
      place,
      undefined,
      `have ${data.length} values in this batch`,
      `its buffer ends after ${values.length}`,
    );
  }
  for (let row = 0; row < data.length; row++) {
    const value = Number(values[row]);
    if (typeof values[row] === "bigint" && !Number.isSafeInteger(value)) {
      throw refuse(place, row, "be an integer of magnitude below 2^53", `it is ${values[row]}`);
    }
    into.push(isThere(row) ? value : null);
  }
}

function appendTexts(into: unknown[], data: Data, place: ColumnPlace, isThere: IsThere): void {
  const bytes = data.values as Uint8Array;
  const offsets = checkedOffsets(data, place, bytes.length);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let row = 0; row < data.length; row++) {
    if (!isThere(row)) {
      into.push(null);
      continue;
    }
    try {
      into.push(decoder.decode(bytes.subarray(offsets[row], offsets[row + 1])));
    } catch {
      throw refuse(place, row, "be UTF-8", "its bytes are not");
    }
  }
}

function appendLists(into: unknown[], data: Data, place: ColumnPlace, isThere: IsThere): void {
  const child = data.children[0] as Data;
  const values = child.values as Int32Array | Float32Array | Uint8Array;
  const elements = Math.min(child.length, values.length);
  const offsets = checkedOffsets(data, place, elements);
  if (child.nullCount > 0) {
    throw refuse(place, undefined, "have no null within its lists", `it has ${child.nullCount}`);
  }
  for (let row = 0; row < data.length; row++) {
    into.push(isThere(row) ? values.subarray(offsets[row], offsets[row + 1]) : null);
  }
}

/** The offsets of a batch's values, which must not go down nor leave the `limit` elements that there are. */
function checkedOffsets(data: Data, place: ColumnPlace, limit: number): Int32Array {
  const offsets = data.valueOffsets as Int32Array;
  if (data.length === 0) return offsets;
  if (offsets.length < data.length + 1) {
    throw refuse(
      place,
      undefined,
      `have ${data.length + 1} offsets in this batch`,
      `it has ${offsets.length}`,
    );
  }
  if (offsets[0]! < 0) throw refuse(place, 0, "begin within its buffer", `it begins at ${offsets[0]}`);
  for (let row = 0; row < data.length; row++) {
    const begin = offsets[row]!;
    const end = offsets[row + 1]!;
    if (end < begin) {
      throw refuse(place, row, "end after it begins", `it begins at ${begin} and ends at ${end}`);
    }
    if (end > limit) throw refuse(place, row, `end within its buffer of ${limit}`, `it ends at ${end}`);
  }
  return offsets;
}

function refuse(
  place: ColumnPlace,
  row: number | undefined,
  requirement: string,
  current: string,
): ColumnError {
  const where = row === undefined ? {} : { row: place.firstRow + row };
  return new ColumnError(
    `Cannot read column "${place.name}"${
      row === undefined ? "" : `, row ${place.firstRow + row},`
    } of ${place.file} ` +
      `as it must ${requirement}: ${current}`,
    { file: place.file, column: place.name, ...where },
  );
}
