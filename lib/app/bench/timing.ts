/** Repeated measurements and what is told about them. @module */

/** Median, least and greatest of some measurements. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws {RangeError} if there is no measurement */
export function summarise(samples: readonly number[]): Summary {
  if (samples.length === 0) {
    throw new RangeError("Cannot summarise as there must be measurements: there are none");
  }
  const sorted = [...samples].sort((a, b) => a - b), middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** Milliseconds that `work` takes. */
export function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

/** How often something is measured: `steps` times, or until `seconds` have passed, but at least `least` times. */
export interface Repetition {
  readonly steps?: number | undefined;
  readonly seconds: number;
  readonly least: number;
}

/** True while another repetition is wanted. The first call starts the clock. */
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
