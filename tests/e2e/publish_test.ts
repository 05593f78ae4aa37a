/** The real stages with models in memory only in some rounds: the same bytes as a run that writes all of them, also after kills. @module */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/contracts/events.ts";
import { interrupt, startBare } from "./interrupted.ts";
import { ran, SmallQuickstart } from "./small_quickstart.ts";

const ROUNDS = ["--set", "ppo.count=5"], SELDOM = [...ROUNDS, "--set", "ppo.publish=3"];

Deno.test("publish: 3 with kill -9 in the fifth and the second round gives the bytes of a run that writes all rounds", async () => {
  using quickstart = new SmallQuickstart();
  // Each round in a process of its own: nothing is in memory.
  await quickstart.run("undisturbed", ...ROUNDS, "--executor", "process");
  const undisturbed = quickstart.bytes("undisturbed");
  for (const iteration of [1, 4]) {
    const start = startBare(quickstart, "killed", ...SELDOM);
    const { code } = await interrupt(
      start,
      "SIGKILL",
      (e: RunEvent) => e.type === "stage_started" && e.stage === "ppo.update" && e.iteration === iteration,
    );
    assertEquals(code, 137);
  }
  const events = await quickstart.run("killed", ...SELDOM);
  const updates = ran(events).filter((id) => id.startsWith("ppo.update"));
  // The fourth round was in memory when the second kill came; its rollouts were not, and are not made again.
  assertEquals(updates, ["ppo.update[3]", "ppo.update[4]"]);
  assert(
    !ran(events).some((id) => id.startsWith("ppo.rollout") || id.startsWith("ppo.score")),
    ran(events).join(),
  );
  const { outputs, actions } = quickstart.bytes("killed");
  assertEquals(outputs, undisturbed.outputs);
  assertEquals(actions, undisturbed.actions);
});
