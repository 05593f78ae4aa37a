/** Yielding to the event loop: native calls block the thread, so long computations let signals, timers and requests in. @module */
import { setImmediate } from "node:timers";

/** Milliseconds after which a turn must ask the system for signals and requests. */
const POLL_MS = 100;

let polledAt = -Infinity;

/**
 * Waits until pending timers were handled, and at least every 100 ms also signals and requests. A turn of `setImmediate` takes
 * no time, but while it always has work, Deno's loop asks the system in about every 60th turn only; a timer makes it wait,
 * and so ask, which takes a millisecond.
 */
export function yieldToEventLoop(): Promise<void> {
  const now = performance.now();
  if (now - polledAt < POLL_MS) return new Promise((resolve) => setImmediate(resolve));
  polledAt = now;
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A long computation that yields between its steps. */
export type Work<T> = Generator<void, T, void>;

/** Milliseconds of computation between two turns of the event loop. */
const TURN_MS = 20;

/** Runs all steps of `work` without yielding to the event loop, and returns its result. */
export function runSync<T>(work: Work<T>): T {
  while (true) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** Runs `work` and yields to the event loop every few steps, so that an abort signal takes effect. */
export async function runYielding<T>(work: Work<T>): Promise<T> {
  let since = performance.now();
  while (true) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() - since < TURN_MS) continue;
    await yieldToEventLoop();
    since = performance.now();
  }
}
