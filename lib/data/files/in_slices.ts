/**
 * Work on files in steps, as generators that yield after every step: commands finish it at once, the server in short slices
 * between which it responds to other requests.
 * @module
 */
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** Time of one slice. */
const SLICE_MS = 10;

/** Finishes `work` at once and returns its result. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (let step = work.next();; step = work.next()) if (step.done) return step.value;
}

/**
 * Finishes `work` in slices of about 10 ms and returns its result.
 * @param seconds limit of the time from the first slice to the last
 * @throws {UsageError} beyond the limit
 */
export async function inSlices<T>(work: Generator<void, T>, seconds: number): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const pause = performance.now() + SLICE_MS;
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < pause);
    if (performance.now() > end) {
      throw new UsageError(
        `Locations must be found within ${seconds} s, got patterns or folders that take longer`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
