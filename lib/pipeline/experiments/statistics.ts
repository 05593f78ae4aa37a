/**
 * Paired differences over a few seeds, with intervals. A pair is one seed: both arms start from the same weights and use
 * the same prompts and random numbers, so that what a seed changes in both cancels out.
 * @module
 */
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { type Spread, spreadOf } from "@/lib/report/spread.ts";
import { studentQuantile, upperTail } from "./student_t.ts";

/** An interval of 95 % confidence. */
type Interval = readonly [low: number, high: number];

/** A mean difference over pairs, with its uncertainty. */
export interface PairedDifference extends Spread {
  /** by Student's t with n − 1 degrees of freedom; null for one pair, or if all differences are equal */
  readonly interval: Interval | null;
  /** by the bootstrap; null where `interval` is */
  readonly bootstrap: Interval | null;
  /** two-sided, of the t test that the true difference is 0 (of the sign test if all are equal); null for one pair */
  readonly p: number | null;
  /** pairs whose difference is above 0 */
  readonly above: number;
}

/** Confidence of the intervals. */
const CONFIDENCE = 0.95;

/** Resamples of the bootstrap: its 2.5 % quantile then varies by about 2 % of the interval's width. */
const RESAMPLES = 10_000;

/**
 * Returns the mean of a − b over pairs. Interval: mean ± t(0.975, n − 1) · std/√n (Student 1908). Where all differences are equal,
 * an interval would have no width, so there is none, and p is that of the sign test: 2⁻ⁿ⁺¹, or 1 if they are 0.
 * @throws {RangeError} unless both have the same number of values, at least one
 */
export function pairedDifference(a: readonly number[], b: readonly number[]): PairedDifference {
  if (a.length !== b.length) {
    throw new RangeError(`Pairs require as many values on both sides, got ${a.length} and ${b.length}`);
  }
  const differences = a.map((value, k) => value - b[k]!);
  const { mean, std, n } = spreadOf(differences);
  const above = differences.filter((d) => d > 0).length;
  if (n === 1) return { mean, std, n, above, interval: null, bootstrap: null, p: null };
  const stderr = std / Math.sqrt(n);
  const half = studentQuantile((1 + CONFIDENCE) / 2, n - 1) * stderr;
  if (!(stderr > 1e-12 * Math.abs(mean))) {
    return { mean, std, n, above, interval: null, bootstrap: null, p: mean === 0 ? 1 : 2 ** (1 - n) };
  }
  const p = 2 * upperTail(mean / stderr, n - 1);
  const interval = [mean - half, mean + half] as const;
  return { mean, std, n, above, interval, bootstrap: bootstrapInterval(differences), p };
}

/**
 * Returns the percentile interval of the mean (Efron 1979): means of n values drawn with replacement, of which 2.5 % are
 * below and 2.5 % above it. It assumes no normal distribution, and is too narrow for few values (by about √((n − 1)/n),
 * and more in its tails); verdicts therefore use the interval by Student's t. Equal values give equal intervals: the draws
 * have a fixed seed.
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

/** Returns the values that each resample of `n` draws; cached, because a report has hundreds of intervals. */
function drawsOf(n: number): Uint32Array {
  const key = makeKey(0, "bootstrap");
  const draws = drawn.get(n) ??
    Uint32Array.from({ length: RESAMPLES * n }, (_, k) => Math.floor(uniform(key, k) * n));
  drawn.set(n, draws);
  return draws;
}

/**
 * Returns p values of a family of tests adjusted by Holm's method (1979): the smallest times the number of tests, the next
 * times one fewer, and so on, none below the one before it.
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
