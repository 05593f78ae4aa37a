/** Yielding to the event loop: native calls block the thread, so long computations let signals, timers and requests in. @module */
import { setImmediate } from "node:timers";

/** Waits until pending signals, timers and requests were handled. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
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
