/** `kill -9` at any moment of the real stages, then the same command: the same bytes as an undisturbed run. @module */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/contracts/events.ts";
import { moments } from "@/tests/support/moments.ts";
import { interrupt, kill, startBare } from "./interrupted.ts";
import { SmallQuickstart } from "./small_quickstart.ts";

/**
 * A kill comes a random while after a random one of the stages that a run has begun, or after the program has, so that it
 * meets every part of a run on machines of any speed. Executors take turns, and so does who is killed: the pipeline
 * itself, or the launcher above it, which the pipeline must notice.
 */
Deno.test("kill -9 at ten moments of the real stages, then the same command, gives the same bytes", async () => {
  using quickstart = new SmallQuickstart();
  await quickstart.run("undisturbed");
  const random = moments(10);
  let killed = 0;
  const pause = () => new Promise((resolve) => setTimeout(resolve, 400 * random()));
  for (let i = 0; i < 10; i++) {
    const executor = i % 2 === 0 ? "inline" : "process";
    const start = i % 4 < 2
      ? startBare(quickstart, "killed", "--executor", executor)
      : quickstart.start("killed", "--json", "--executor", executor);
    let stages = Math.floor(3 * random());
    // No stage to wait for: while the program starts, takes stock, or makes ready.
    if (stages === 0) pause().then(() => kill(start, "SIGKILL"));
    const { code } = await interrupt(start, "SIGKILL", async (event: RunEvent) => {
      if (event.type !== "stage_started" || --stages !== 0) return false;
      await pause();
      return true;
    });
    if (code === 137) killed++;
  }
  assert(killed >= 7, `${killed} of 10 kills met a run at work`);
  await quickstart.run("killed");
  assertEquals(quickstart.bytes("killed"), quickstart.bytes("undisturbed"));
});
