/**
 * What a few seeds say: means with their deviation, and paired differences with intervals. A pair is one seed: both arms
 * start from the same weights and answer the same prompts with the same random numbers, so that what a seed does to both
 * falls out of the difference.
 * @module
 */
import { makeKey, uniform } from "@/lib/random/uniform.ts";
import { studentQuantile, upperTail } from "./student_t.ts";

/** Mean over seeds, and how seeds differ. */
export interface Spread {
  readonly mean: number;
  /** with n − 1 in the variance; 0 for one value */
  readonly std: number;
  readonly n: number;
}

/** An interval that holds the truth with 95 % confidence. */
export type Interval = readonly [low: number, high: number];

/** A mean difference over pairs, and how sure it is. */
export interface PairedDifference extends Spread {
  /** by Student's t with n − 1 degrees of freedom; null for one pair */
  readonly interval: Interval | null;
  /** by the bootstrap; null for one pair */
  readonly bootstrap: Interval | null;
  /** two-sided, of the t test that the true difference is 0; null for one pair */
  readonly p: number | null;
  /** pairs whose difference is above 0 */
  readonly above: number;
}

/** Confidence of the intervals. */
export const CONFIDENCE = 0.95;

/** Resamples of the bootstrap: its 2.5 % quantile then varies by about 2 % of the interval's width. */
const RESAMPLES = 10_000;

/** Mean and deviation. @throws {RangeError} without values */
export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  if (n === 0) throw new RangeError("Cannot give a mean as there must be values: there are none");
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { mean, std: n === 1 ? 0 : Math.sqrt(squares / (n - 1)), n };
}

/**
 * The mean of a − b over pairs. Interval: mean ± t(0.975, n − 1) · std/√n (Student 1908); where all differences are equal
 * it is that one value, and p is 1 or 0.
 * @throws {RangeError} unless both have the same number of values, at least one
 */
export function pairedDifference(a: readonly number[], b: readonly number[]): PairedDifference {
  if (a.length !== b.length) {
    throw new RangeError(`Cannot pair values as there must be as many of both: ${a.length} and ${b.length}`);
  }
  const differences = a.map((value, k) => value - b[k]!);
  const { mean, std, n } = spreadOf(differences);
  const above = differences.filter((d) => d > 0).length;
  if (n === 1) return { mean, std, n, above, interval: null, bootstrap: null, p: null };
  const stderr = std / Math.sqrt(n);
  const half = studentQuantile((1 + CONFIDENCE) / 2, n - 1) * stderr;
  const p = stderr === 0 ? (mean === 0 ? 1 : 0) : 2 * upperTail(mean / stderr, n - 1);
  const interval = [mean - half, mean + half] as const;
  return { mean, std, n, above, interval, bootstrap: bootstrapInterval(differences), p };
}

/**
 * The percentile interval of the mean (Efron 1979): means of n values drawn with replacement, of which 2.5 % lie below
 * and above it. It assumes no normal distribution, and is too narrow for few values (by about √((n − 1)/n), and more in
 * its tails), which is why the interval by Student's t is the one that counts here. Equal values give equal intervals:
 * the draws have a seed of their own.
 */
export function bootstrapInterval(values: readonly number[]): Interval {
  const n = values.length;
  const draws = drawsOf(n);
  const means = Float64Array.from({ length: RESAMPLES }, (_, k) => {
    let sum = 0;
    for (let i = k * n; i < (k + 1) * n; i++) sum += values[draws[i]!]!;
    return sum / n;
  }).sort();
  const tail = (1 - CONFIDENCE) / 2;
  const at = (share: number) => means[Math.round(share * (RESAMPLES - 1))]!;
  return [at(tail), at(1 - tail)];
}

const drawn = new Map<number, Uint32Array>();

/** Which values each resample of `n` takes: made once, as a report takes hundreds of intervals. */
function drawsOf(n: number): Uint32Array {
  const key = makeKey(0, "bootstrap");
  const draws = drawn.get(n) ??
    Uint32Array.from({ length: RESAMPLES * n }, (_, k) => Math.floor(uniform(key, k) * n));
  drawn.set(n, draws);
  return draws;
}

/**
 * p values of a family of tests, raised so that the chance of one false finding among all of them stays what each p says:
 * the smallest times the number of tests, the next times one fewer, and so on, none below one before it (Holm 1979).
 */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, k) => k).sort((a, b) => ps[a]! - ps[b]!);
  const raised = new Array<number>(ps.length);
  let least = 0;
  order.forEach((k, rank) => {
    least = Math.max(least, Math.min(1, (ps.length - rank) * ps[k]!));
    raised[k] = least;
  });
  return raised;
}
