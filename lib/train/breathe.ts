/** Native calls block the thread: loops let signals, timers and requests in between. @module */
import { setImmediate } from "node:timers";

/** Waits for one turn of the event loop. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A long computation that yields between its pieces. */
export type Work<T> = Generator<void, T, void>;

/** Milliseconds of computation between two turns of the event loop. */
const TURN_MS = 20;

/** Does all of `work` before anything else runs. */
export function atOnce<T>(work: Work<T>): T {
  while (true) {
    const piece = work.next();
    if (piece.done) return piece.value;
  }
}

/** Does `work` with a turn of the event loop every few pieces: a stop that is asked for meanwhile is noticed. */
export async function inTurns<T>(work: Work<T>): Promise<T> {
  let since = performance.now();
  while (true) {
    const piece = work.next();
    if (piece.done) return piece.value;
    if (performance.now() - since < TURN_MS) continue;
    await breathe();
    since = performance.now();
  }
}
