/** Native calls block the thread: loops let signals, timers and requests in between. @module */
import { setImmediate } from "node:timers";

/** Waits for one turn of the event loop. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
