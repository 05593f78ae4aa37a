import { assert, assertEquals } from "@std/assert";
import { atOnce, inTurns, type Work } from "./breathe.ts";

/** Works until `isOver`, a piece at a time. */
function* until(isOver: () => boolean): Work<number> {
  let pieces = 0;
  while (!isOver()) {
    pieces++;
    yield;
  }
  return pieces;
}

Deno.test("inTurns() lets timers and signals in while the work goes on", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 1);
  const pieces = await inTurns(until(() => stop.signal.aborted)); // atOnce() would never end here
  assert(pieces > 1);
});

Deno.test("atOnce() and inTurns() give what the work returns, after all of its pieces", async () => {
  const three = () => {
    let left = 3;
    return until(() => left-- === 0);
  };
  assertEquals([atOnce(three()), await inTurns(three())], [3, 3]);
});
