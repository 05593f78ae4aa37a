/**
 * `kill -9` at any moment of the real stages, then the same command: the same bytes as an undisturbed run. Also for a run
 * that gets more iterations half-way: k and k iterations are 2 k iterations.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { randomNumbers } from "@/tests/support/random_numbers.ts";
import { interrupt, kill, startBare } from "./interrupted.ts";
import { SmallQuickstart } from "./small_quickstart.ts";

/** Iterations of PPO in each half. */
const K = 5;
const KILLS_PER_HALF = 10;

/** Returns the digests of all states among the outputs of `actions`. */
function statesOf(actions: Readonly<Record<string, unknown>>): Set<string> {
  const outputs = Object.values(actions) as { readonly state?: { readonly digest: string } }[];
  return new Set(outputs.flatMap(({ state }) => state?.digest ?? []));
}

/**
 * Each kill happens at a random time after the start of a random stage or of the program, so that all parts of a run are
 * covered on machines of any speed. The executors alternate, and so does the killed process: the pipeline itself, or the
 * launcher above it, whose end the pipeline must notice. With 16 of 24 prompts per iteration, the order of prompts is drawn
 * again during the run; the states contain the moments of both optimizers and the scale of the reward.
 */
Deno.test("kill -9 at twenty moments of k and then 2 k iterations gives the bytes of 2 k undisturbed iterations", async () => {
  using quickstart = new SmallQuickstart();
  await quickstart.run("undisturbed", "--set", `ppo.count=${2 * K}`);
  const undisturbed = quickstart.bytes("undisturbed");
  // Every iteration ends in a state of its own: equal bytes are no accident.
  assertEquals(statesOf(undisturbed.actions).size, 2 * K);

  const random = randomNumbers(20);
  const pause = () => new Promise((resolve) => setTimeout(resolve, 400 * random()));
  let killed = 0;
  for (const iterations of [K, 2 * K]) {
    const flags = ["--set", `ppo.count=${iterations}`];
    for (let i = 0; i < KILLS_PER_HALF; i++) {
      const more = [...flags, "--executor", i % 2 === 0 ? "inline" : "process"];
      const start = i % 4 < 2
        ? startBare(quickstart, "killed", ...more)
        : quickstart.start("killed", "--json", ...more);
      let stages = Math.floor(3 * random());
      // No stage to wait for: the kill happens while the program starts or plans.
      if (stages === 0) pause().then(() => kill(start, "SIGKILL"));
      const { code } = await interrupt(start, "SIGKILL", async (event: RunEvent) => {
        if (event.type !== "stage_started" || --stages !== 0) return false;
        await pause();
        return true;
      });
      if (code === 137) killed++;
    }
    await quickstart.run("killed", ...flags);
  }
  assert(killed >= 14, `${killed} of 20 kills happened during a run`);

  const { outputs, actions } = quickstart.bytes("killed");
  assertEquals(outputs, undisturbed.outputs);
  // In addition, the first half has its own evaluation and continued SFT.
  const same = Object.keys(undisturbed.actions).map((key) => [key, actions[key]]);
  assertEquals(Object.fromEntries(same), undisturbed.actions);
  assertEquals(Object.keys(actions).length, Object.keys(undisturbed.actions).length + 2);
});
