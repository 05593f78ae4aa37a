/** Repeated measurements and their summary. @module */

/** Median, minimum and maximum of measurements. */
export interface TimeSummary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Returns the summary of measurements. @throws {RangeError} if there is none */
export function summarise(samples: readonly number[]): TimeSummary {
  if (samples.length === 0) {
    throw new RangeError("A summary requires at least one measurement, got none");
  }
  const sorted = [...samples].sort((a, b) => a - b), middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** Returns the milliseconds that `work` takes. */
export function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

/** Number of repetitions: `steps`, or until `seconds` have passed, but at least `least`. */
export interface Repetition {
  readonly steps?: number | undefined;
  readonly seconds: number;
  readonly least: number;
}

/** Returns a function that is true while another repetition is required. Its first call starts the clock. */
export function repeater({ steps, seconds, least }: Repetition): () => boolean {
  let done = 0, startedAt = 0;
  return () => {
    if (done === 0) startedAt = performance.now();
    const wanted = steps === undefined
      ? done < least || performance.now() - startedAt < seconds * 1000
      : done < steps;
    done++;
    return wanted;
  };
}
