/**
 * Ragged rows: one array per response, holding its tokens only. All host arithmetic of this folder takes rows, so
 * that padding cannot enter a result. Masked [B,T] arrays become rows by leaving the masked positions out.
 * @module
 */
import { DataError, ShapeError } from "@/lib/tensor/errors.ts";

/** Per-token numbers of one response, [R]. */
export type Row = ArrayLike<number>;
/** Per-token numbers of several responses, each with its own length. */
export type Rows = readonly Row[];

/**
 * Checks that per-token arrays of one response go together.
 * @param arrays by the name under which a person knows them
 * @throws {ShapeError} naming every array and its length
 */
export function checkEqualLengths(arrays: Readonly<Record<string, { readonly length: number }>>): void {
  const entries = Object.entries(arrays);
  const lengths = entries.map(([, array]) => array.length);
  if (lengths.every((length) => length === lengths[0])) return;
  const names = entries.map(([name]) => name).join(" and ");
  const found = entries.map(([name, array]) => `${name} has ${array.length}`).join(", ");
  throw new ShapeError(`Cannot pair ${names} as their lengths must be equal: ${found}`, { actual: lengths });
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
  const found = bad.map((b) => `row ${b} has ${entries.map(([, rows]) => rows[b]!.length).join(" and ")}`)
    .join(", ");
  throw new ShapeError(`Cannot pair rows of ${names} as their lengths must be equal: ${found}`);
}

/**
 * Checks that every number is finite (no NaN, no infinity).
 * @param sets rows by the name under which a person knows them
 * @throws {DataError} naming every row that holds another number, with its first bad position
 */
export function checkFinite(sets: Readonly<Record<string, Rows>>): void {
  const bad: string[] = [];
  for (const [name, rows] of Object.entries(sets)) {
    for (const [b, row] of rows.entries()) {
      for (let t = 0; t < row.length; t++) {
        if (Number.isFinite(row[t])) continue;
        bad.push(`${name} of row ${b} is ${row[t]} at token ${t}`);
        break;
      }
    }
  }
  if (bad.length === 0) return;
  const names = Object.keys(sets).join(", ");
  throw new DataError(`Cannot use ${names} as all numbers must be finite: ${bad.join(", ")}`);
}

/**
 * The counted positions of a masked [B,T] array as rows; order is kept.
 * @param mask [B,T], 1 = counts; holes inside a row are stepped over
 * @throws {ShapeError} if the shapes differ
 */
export function toRows(array: Rows, mask: Rows): Float64Array[] {
  checkEqualRows({ array, mask });
  return array.map((row, b) => Float64Array.from(Array.from(row).filter((_, t) => mask[b]![t] !== 0)));
}

/**
 * Rows back at the counted positions of a mask [B,T]; 0 elsewhere.
 * @throws {ShapeError} if a row has not as many numbers as its mask counts
 */
export function fromRows(rows: Rows, mask: Rows): Float64Array[] {
  const counted = mask.map((m) => Array.from(m).flatMap((x, t) => (x !== 0 ? [t] : [])));
  checkEqualRows({ rows, "the counted positions": counted });
  return mask.map((m, b) => {
    const out = new Float64Array(m.length);
    counted[b]!.forEach((t, i) => out[t] = rows[b]![i]!);
    return out;
  });
}

/** All rows end to end, [N] with N = Σ lengths. */
export function flatten(rows: Rows): Float64Array<ArrayBuffer> {
  const flat = new Float64Array(rows.reduce((n, row) => n + row.length, 0));
  let at = 0;
  for (const row of rows) {
    flat.set(row, at);
    at += row.length;
  }
  return flat;
}
