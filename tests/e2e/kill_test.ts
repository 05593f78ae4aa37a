/**
 * `kill -9` at any moment of the real stages, then the same command: the same bytes as an undisturbed run. So it is for a
 * run that was given more rounds half-way: k and k rounds are 2 k rounds.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/contracts/events.ts";
import { randomNumbers } from "@/tests/support/random_numbers.ts";
import { interrupt, kill, startBare } from "./interrupted.ts";
import { SmallQuickstart } from "./small_quickstart.ts";

/** Rounds of PPO in each half. */
const K = 5;
const KILLS_PER_HALF = 10;

/** Digests of all states among the outputs of `actions`. */
function statesOf(actions: Readonly<Record<string, unknown>>): Set<string> {
  const outputs = Object.values(actions) as { readonly state?: { readonly digest: string } }[];
  return new Set(outputs.flatMap(({ state }) => state?.digest ?? []));
}

/**
 * A kill comes a random while after a random one of the stages that a run has begun, or after the program has, so that it
 * meets every part of a run on machines of any speed. Executors take turns, and so does who is killed: the pipeline
 * itself, or the launcher above it, which the pipeline must notice. With 16 of 24 prompts in a round, the order of
 * prompts is drawn anew within the run; the states hold the moments of both optimizers and the scale of the reward.
 */
Deno.test("kill -9 at twenty moments of k and then 2 k rounds gives the bytes of 2 k undisturbed rounds", async () => {
  using quickstart = new SmallQuickstart();
  await quickstart.run("undisturbed", "--set", `ppo.count=${2 * K}`);
  const undisturbed = quickstart.bytes("undisturbed");
  // Every iteration ends in a state of its own: equal bytes are no accident.
  assertEquals(statesOf(undisturbed.actions).size, 2 * K);

  const random = randomNumbers(20);
  const pause = () => new Promise((resolve) => setTimeout(resolve, 400 * random()));
  let killed = 0;
  for (const rounds of [K, 2 * K]) {
    const flags = ["--set", `ppo.count=${rounds}`];
    for (let i = 0; i < KILLS_PER_HALF; i++) {
      const more = [...flags, "--executor", i % 2 === 0 ? "inline" : "process"];
      const start = i % 4 < 2
        ? startBare(quickstart, "killed", ...more)
        : quickstart.start("killed", "--json", ...more);
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
    await quickstart.run("killed", ...flags);
  }
  assert(killed >= 14, `${killed} of 20 kills met a run at work`);

  const { outputs, actions } = quickstart.bytes("killed");
  assertEquals(outputs, undisturbed.outputs);
  // Beside these, the first half left the evaluation and continued SFT of its own end.
  const same = Object.keys(undisturbed.actions).map((key) => [key, actions[key]]);
  assertEquals(Object.fromEntries(same), undisturbed.actions);
  assertEquals(Object.keys(actions).length, Object.keys(undisturbed.actions).length + 2);
});
