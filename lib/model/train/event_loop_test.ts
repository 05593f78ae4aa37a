import { assert, assertEquals } from "@std/assert";
import { runSync, runYielding, type Work } from "./event_loop.ts";

/** Works until `isOver`, one step at a time. */
function* until(isOver: () => boolean): Work<number> {
  let steps = 0;
  while (!isOver()) {
    steps++;
    yield;
  }
  return steps;
}

Deno.test("runYielding() handles timers and signals between steps of the work", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 1);
  const steps = await runYielding(until(() => stop.signal.aborted)); // runSync() would not end here
  assert(steps > 1);
});

Deno.test("runSync() and runYielding() run all steps and return the result", async () => {
  const three = () => {
    let left = 3;
    return until(() => left-- === 0);
  };
  assertEquals([runSync(three()), await runYielding(three())], [3, 3]);
});
