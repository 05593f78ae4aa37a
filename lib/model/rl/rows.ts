/**
 * Ragged rows: one array per response with its tokens only. All host arithmetic of this folder takes rows, so that padding cannot affect a
 * result. Masked [B,T] arrays become rows by leaving out the masked positions.
 * @module
 */
import { DataError, ShapeError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

/** Per-token numbers of one response, [R]. */
export type Row = ArrayLike<number>;
/** Per-token numbers of several responses, each with its own length. */
export type Rows = readonly Row[];

/**
 * Checks that per-token arrays of one response have the same length.
 * @param arrays by their names in messages
 * @throws {ShapeError} naming every array and its length
 */
export function checkEqualLengths(arrays: Readonly<Record<string, { readonly length: number }>>): void {
  const entries = Object.entries(arrays);
  const lengths = entries.map(([, array]) => array.length);
  if (lengths.every((length) => length === lengths[0])) return;
  const names = entries.map(([name]) => name).join(" and ");
  const found = entries.map(([name, array]) => `${array.length} (${name})`).join(", ");
  throw new ShapeError(`Lengths of ${names} must be equal, got ${found}`, { actual: lengths });
}

/**
 * Checks that two sets of rows have the same number of rows and the same length of each.
 * @throws {ShapeError} naming all rows that differ
 */
export function checkEqualRows(sets: Readonly<Record<string, Rows>>): void {
  checkEqualLengths(sets);
  const entries = Object.entries(sets);
  const first = entries[0]?.[1] ?? [];
  const bad = [...first.keys()].filter((b) =>
    entries.some(([, rows]) => rows[b]!.length !== first[b]!.length)
  );
  if (bad.length === 0) return;
  const names = entries.map(([name]) => name).join(" and ");
  const lengths = (b: number) => entries.map(([, rows]) => rows[b]!.length).join(" and ");
  const found = listed(bad.map((b) => `${lengths(b)} in row ${b}`), { separator: ", " });
  throw new ShapeError(`Rows of ${names} must have equal lengths, got ${found}`);
}

/**
 * Checks that every number is finite (no NaN, no infinity).
 * @param sets rows by their names in messages
 * @throws {DataError} naming every row with another number, with its first position
 */
export function checkFinite(sets: Readonly<Record<string, Rows>>): void {
  const bad: string[] = [];
  for (const [name, rows] of Object.entries(sets)) {
    for (const [b, row] of rows.entries()) {
      for (let t = 0; t < row.length; t++) {
        if (Number.isFinite(row[t])) continue;
        bad.push(`${row[t]} in ${name} of row ${b} at token ${t}`);
        break;
      }
    }
  }
  if (bad.length === 0) return;
  const names = Object.keys(sets).join(", ");
  throw new DataError(`All numbers in ${names} must be finite, got ${listed(bad, { separator: ", " })}`);
}

/** Returns all rows end to end, [N] with N = Σ lengths. */
export function flatten(rows: Rows): Float64Array<ArrayBuffer> {
  const flat = new Float64Array(rows.reduce((n, row) => n + row.length, 0));
  let at = 0;
  for (const row of rows) {
    flat.set(row, at);
    at += row.length;
  }
  return flat;
}
