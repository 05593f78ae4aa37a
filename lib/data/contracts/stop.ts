/** Stops on request: Ctrl-C, a signal, or a client that has disconnected. @module */
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";

/**
 * Throws if a stop was requested.
 * @param lost what is discarded, for the message
 * @throws {TryAgainError} exit code 75
 */
export function checkStop(signal: AbortSignal, lost: string): void {
  if (!signal.aborted) return;
  throw new TryAgainError(`Interrupted: ${lost} is discarded. Run the same command to resume`);
}

/** Does `work` and calls `check` before each of its pieces, which may throw to stop. */
export function* stoppable<T>(work: Generator<void, T, void>, check: () => void): Generator<void, T, void> {
  while (true) {
    check();
    const piece = work.next();
    if (piece.done) return piece.value;
    yield;
  }
}
