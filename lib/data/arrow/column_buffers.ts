/** Checked access to the buffers of an Arrow column: no length, offset or text in a file is trusted. @module */
import type { Data } from "apache-arrow";
import { ColumnError } from "@/lib/compute/tensor/errors.ts";

/** A column of a file, and the rows of it that are being read. */
export interface ColumnPlace {
  readonly file: string;
  readonly column: string;
  /** number of the batch's first row in messages */
  readonly firstRow: number;
}

/** Returns a function that says whether a row has a value. @throws {ColumnError} if validity bits are missing */
export function validityOf(data: Data, place: ColumnPlace): (row: number) => boolean {
  if (data.nullCount === 0) return () => true;
  const bits = data.nullBitmap as Uint8Array | null;
  checkCount(place, "validity bits", data.length, (bits?.length ?? 0) * 8);
  return (row) => isBitSet(bits!, row + data.offset);
}

/** Returns whether the bit at `index` is set, lowest bit of each byte first. */
export function isBitSet(bits: Uint8Array, index: number): boolean {
  return (bits[index >> 3]! >> (index & 7) & 1) === 1;
}

/** Returns the offsets of lists or texts. @throws {ColumnError} if they decrease or exceed the `limit` elements */
export function offsetsOf(data: Data, place: ColumnPlace, limit: number): ArrayLike<number | bigint> {
  const offsets = data.valueOffsets as ArrayLike<number | bigint>;
  if (data.length === 0) return offsets;
  checkCount(place, "offsets", data.length + 1, offsets.length);
  for (let at = 0, before = 0; at <= data.length; at++) {
    const offset = Number(offsets[at]);
    if (offset < before || offset > limit) {
      const problem = `offsets must increase from 0 to at most ${limit}, but ${offset} follows ${before}`;
      throw invalidColumn(place, problem, Math.max(0, at - 1));
    }
    before = offset;
  }
  return offsets;
}

/** Returns a function that gives the text of a row; it throws a ColumnError for bytes that are not UTF-8. */
export function textReader(data: Data, place: ColumnPlace): (row: number) => string {
  const bytes = data.values as Uint8Array;
  const offsets = offsetsOf(data, place, bytes.length);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return (row) => {
    try {
      return decoder.decode(bytes.subarray(Number(offsets[row]), Number(offsets[row + 1])));
    } catch {
      throw invalidColumn(place, "not UTF-8", row);
    }
  };
}

/** Checks a number of elements. @throws {ColumnError} if fewer than `required` exist */
export function checkCount(place: ColumnPlace, what: string, required: number, found: number): void {
  if (found < required) throw invalidColumn(place, `needs ${required} ${what}, got ${found}`);
}

/** Returns the error for a column. @param row within the batch, if the problem has one */
export function invalidColumn(place: ColumnPlace, problem: string, row?: number): ColumnError {
  const { file, column, firstRow } = place;
  const where = row === undefined ? {} : { row: firstRow + row };
  const at = row === undefined ? "" : `, row ${firstRow + row}`;
  return new ColumnError(`${file}: column "${column}"${at}: ${problem}`, { file, column, ...where });
}
