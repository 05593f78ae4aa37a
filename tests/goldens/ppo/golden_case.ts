/**
 * Reads the cases of a golden topic and measures the errors of results. A topic is
 * `{ topic, dtype, conventions, cases: [{ name: number | string | null | nested lists }] }`.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { checkEqualRows, type Rows } from "@/lib/model/rl/rows.ts";

/** One line of a golden report: the largest error over all cases and elements, and its bar. */
export interface GoldenCheck {
  /** the quantity */
  readonly check: string;
  /** |result − expected| / max(1, |expected|); Infinity where shapes differ or a number is missing */
  readonly largestError: number;
  /** the largest error that passes */
  readonly bar: number;
}

/** A number, null (undefined), or nested lists of them. */
export type Nested = number | null | readonly Nested[] | Float64Array;

/** Typed access to the fields of one case. */
export interface GoldenCase {
  /** returns whether the case has the field */
  has(field: string): boolean;
  /** one number */
  number(field: string): number;
  /** a number, or null for undefined or off */
  numberOrNull(field: string): number | null;
  /** a text */
  text(field: string): string;
  /** true or false */
  flag(field: string): boolean;
  /** [B] */
  list(field: string): number[];
  /** [B,T] */
  rows(field: string): number[][];
  /** [K,B,T] or [B,T,V] */
  blocks(field: string): number[][][];
  /**
   * Refuses keys that no check has read: a setting with a wrong name must not be ignored.
   * @throws {DataError} naming them
   */
  refuseUnknownKeys(): void;
}

/** Keys that describe a case and are not compared. */
const DESCRIPTIONS = ["note", "reward_kind"];

/**
 * Returns the cases of a topic.
 * @throws {DataError} if the text is not a topic of that name with at least one case
 */
export function goldenCases(topic: string, json: unknown): GoldenCase[] {
  const file = isRecord(json) ? json : {};
  const { cases } = file;
  if (file.topic !== topic || !Array.isArray(cases) || cases.length === 0) {
    throw new DataError(
      `Golden topic "${topic}" must have that topic and at least one case, got topic ${
        JSON.stringify(file.topic)
      } and ${Array.isArray(cases) ? `${cases.length} cases` : `cases of type ${typeof cases}`}`,
    );
  }
  return cases.map((record, index) => goldenCase(`case ${index} of "${topic}"`, record));
}

function goldenCase(where: string, record: unknown): GoldenCase {
  const fields = isRecord(record) ? record : {}, known = new Set(DESCRIPTIONS);
  function read<T>(field: string, wanted: string, test: (x: unknown) => x is T): T {
    known.add(field);
    const value = fields[field];
    if (test(value)) return value;
    throw new DataError(
      `Field "${field}" of ${where} must be ${wanted}, got ${
        value === undefined ? "none" : JSON.stringify(value).slice(0, 40)
      }`,
    );
  }
  return {
    has: (field) => known.add(field) && field in fields,
    number: (field) => read(field, "a number", isNumber),
    numberOrNull: (field) =>
      read(field, "a number or null", (x): x is number | null => x === null || isNumber(x)),
    text: (field) => read(field, "a text", (x): x is string => typeof x === "string"),
    flag: (field) => read(field, "true or false", (x): x is boolean => typeof x === "boolean"),
    list: (field) => read(field, "a list of numbers", isListOf(isNumber)),
    rows: (field) => read(field, "a list of lists of numbers", isListOf(isListOf(isNumber))),
    blocks: (field) => read(field, "lists of numbers, three deep", isListOf(isListOf(isListOf(isNumber)))),
    refuseUnknownKeys() {
      const unknown = Object.keys(fields).filter((field) => !known.has(field));
      if (unknown.length > 0) {
        const names = unknown.map((field) => JSON.stringify(field)).join(", ");
        throw new DataError(`${where}: unknown key${unknown.length > 1 ? "s" : ""} ${names}`);
      }
    },
  };
}

function isRecord(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}

function isNumber(x: unknown): x is number {
  return typeof x === "number";
}

function isListOf<T>(test: (x: unknown) => x is T): (x: unknown) => x is T[] {
  return (x): x is T[] => Array.isArray(x) && x.every(test);
}

/** Keeps the largest error of every check, in the order of their first comparison. */
export interface GoldenTally {
  /** keeps the error of `actual` if it is the largest of this check so far */
  compare(check: string, actual: Nested, expected: Nested): void;
  /** all checks so far */
  checks(): GoldenCheck[];
}

/** Returns an empty tally with one bar for all checks. */
export function goldenTally(bar: number): GoldenTally {
  const largest = new Map<string, number>();
  return {
    compare(check, actual, expected) {
      largest.set(check, Math.max(largest.get(check) ?? 0, errorOf(actual, expected)));
    },
    checks: () => [...largest].map(([check, largestError]) => ({ check, largestError, bar })),
  };
}

function errorOf(actual: Nested, expected: Nested): number {
  if (typeof expected === "number") {
    if (typeof actual !== "number" || !Number.isFinite(actual)) return Infinity;
    return Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
  }
  if (expected === null) return actual === null ? 0 : Infinity;
  if (actual === null || typeof actual === "number" || actual.length !== expected.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, errorOf(actual[i]!, expected[i]!));
  return largest;
}

/**
 * Returns the counted positions of a masked [B,T] array as rows; order is kept.
 * @param mask [B,T], 1 = counts; holes inside a row are stepped over
 * @throws {ShapeError} if the shapes differ
 */
export function toRows(array: Rows, mask: Rows): Float64Array[] {
  checkEqualRows({ array, mask });
  return array.map((row, b) => Float64Array.from(Array.from(row).filter((_, t) => mask[b]![t] !== 0)));
}

/**
 * Returns rows put back at the counted positions of a mask [B,T]; 0 elsewhere.
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

/** Compares ragged results with the masked [B,T] fields of the same names. */
export function compareRows(
  golden: GoldenCase,
  tally: GoldenTally,
  results: Readonly<Record<string, Rows>>,
): void {
  const mask = golden.rows("mask");
  for (const [field, rows] of Object.entries(results)) {
    tally.compare(field, fromRows(rows, mask), golden.rows(field));
  }
}
