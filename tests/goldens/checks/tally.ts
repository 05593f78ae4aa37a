/**
 * Measures how far results are from golden ones: the largest error of every check, its place, and whether it is within
 * the bar. A check that compared nothing has failed.
 * @module
 */

/**
 * How an error is measured: `absolute` |a − e|; `relative` |a − e|/|e| (|a| where e is 0); `of_largest`
 * |a − e|/max|e| over one tensor; `differences` how many elements are not equal.
 */
export type Measure = "absolute" | "relative" | "of_largest" | "differences";

/** A check and the largest error that it allows. */
export interface Bar {
  /** its name in the report */
  readonly check: string;
  /** how its error is measured */
  readonly measure: Measure;
  /** the largest error that is ok */
  readonly bar: number;
}

/** Returns a check of the absolute error. */
export function absolute(check: string, bar = 1e-4): Bar {
  return { check, measure: "absolute", bar };
}

/** Returns a check of the relative error. */
export function relative(check: string, bar: number): Bar {
  return { check, measure: "relative", bar };
}

/** One line of the report. */
export interface CheckLine extends Bar {
  /** Infinity where lengths differ, a number is not finite, or nothing was compared */
  readonly largestError: number;
  /** the largest error is at most the bar */
  readonly ok: boolean;
  /** the place with the largest error, or the problem */
  readonly worst: string;
  /** errors of all places, in the order of their comparison */
  readonly places: readonly { readonly place: string; readonly error: number }[];
}

/** Collects comparisons. */
export interface Tally {
  /**
   * Compares two arrays element by element.
   * @param place their name: a tensor, a row, a step
   * @param skip positions that are not compared
   */
  compare(
    bar: Bar,
    place: string,
    actual: ArrayLike<number>,
    expected: ArrayLike<number>,
    skip?: ReadonlySet<number>,
  ): void;
  /** Records that something could not be compared: the check fails. */
  fail(bar: Bar, problem: string): void;
  /** Adds a check to the report even if nothing is compared. */
  expect(bar: Bar): void;
  /** Runs independent parts of a check. One that throws fails, by its name, and the others run all the same. */
  parts(parts: Readonly<Record<string, () => void>>): void;
  /** Returns one line per check, in the order of their first use. */
  lines(): CheckLine[];
}

/** Returns an empty tally. */
export function tally(): Tally {
  const checks = new Map<string, { bar: Bar; places: { place: string; error: number }[] }>();
  const entryOf = (bar: Bar) => {
    let entry = checks.get(bar.check);
    if (!entry) checks.set(bar.check, entry = { bar, places: [] });
    return entry;
  };
  const fail: Tally["fail"] = (bar, problem) =>
    void entryOf(bar).places.push({ place: problem, error: Infinity });
  return {
    compare(bar, place, actual, expected, skip) {
      const found = errorOf(bar.measure, place, actual, expected, skip);
      if (found) entryOf(bar).places.push(found);
      else entryOf(bar);
    },
    fail,
    expect: (bar) => void entryOf(bar),
    parts(parts) {
      for (const [name, run] of Object.entries(parts)) {
        try {
          run();
        } catch (error) {
          fail({ check: name, measure: "differences", bar: 0 }, (error as Error).message);
        }
      }
    },
    lines: () => [...checks.values()].map(({ bar, places }) => lineOf(bar, places)),
  };
}

function lineOf(bar: Bar, places: CheckLine["places"]): CheckLine {
  let worst = { place: "nothing was compared", error: places.length === 0 ? Infinity : -1 };
  for (const place of places) if (place.error > worst.error) worst = place;
  return { ...bar, largestError: worst.error, ok: worst.error <= bar.bar, worst: worst.place, places };
}

/** Returns the largest error of one comparison and its position; undefined if every element is skipped. */
function errorOf(
  measure: Measure,
  place: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  skip: ReadonlySet<number> | undefined,
): { place: string; error: number } | undefined {
  if (actual.length !== expected.length) {
    return { place: `${place} has ${actual.length} elements, not ${expected.length}`, error: Infinity };
  }
  let largest = 0;
  if (measure === "of_largest") {
    for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]!));
  }
  let error = -1, at = 0, differences = 0;
  for (let i = 0; i < expected.length; i++) {
    if (skip?.has(i)) continue;
    const a = actual[i]!, e = expected[i]!, distance = Math.abs(a - e);
    if (a !== e) differences++;
    const scale = measure === "relative" ? Math.abs(e) : measure === "of_largest" ? largest : 1;
    // not finite where the result or the golden is not
    const here = Number.isFinite(distance) ? distance / (scale || 1) : Infinity;
    if (here > error) [error, at] = [here, i];
  }
  if (error < 0) return undefined;
  const where = expected.length === 1 ? place : `${place}[${at}]`;
  return { place: where, error: measure === "differences" ? differences : error };
}
