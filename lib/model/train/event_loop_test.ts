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

Deno.test("yieldToEventLoop() lets each signal in within a few turns of 20 ms, not in the sixtieth", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { yieldToEventLoop } from ${JSON.stringify(new URL("./event_loop.ts", import.meta.url).href)};
       let waiting = 0, turns = 0, most = 0, signals = 0;
       Deno.addSignalListener("SIGUSR2", () => { most = Math.max(most, turns); signals++; waiting = 0; });
       while (signals < 4) {
         if (waiting++ === 5 + 3 * signals) { turns = 0; Deno.kill(Deno.pid, "SIGUSR2"); }
         for (const end = performance.now() + 20; performance.now() < end;);
         turns++;
         await yieldToEventLoop();
       }
       console.log(most);
       Deno.exit(most <= 12 ? 0 : 1);`,
    ],
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout).length > 0], [0, true]);
});
