/** The real stages with models only in memory in some iterations: the same bytes as a run that writes all, also after kills. @module */
import { assert, assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { interrupt, startBare } from "./interrupted.ts";
import { ran, SmallQuickstart } from "./small_quickstart.ts";

const FIVE = ["--set", "ppo.count=5"], RARE = [...FIVE, "--set", "ppo.publish=3"];

Deno.test("publish: 3 with kill -9 in the second and the fifth iteration gives the bytes of a run that writes all iterations", async () => {
  using quickstart = new SmallQuickstart();
  // Each stage in a separate process: nothing is in memory.
  await quickstart.run("undisturbed", ...FIVE, "--executor", "process");
  const undisturbed = quickstart.bytes("undisturbed");
  for (const iteration of [1, 4]) {
    const start = startBare(quickstart, "killed", ...RARE);
    const { code } = await interrupt(
      start,
      "SIGKILL",
      (e: RunEvent) => e.type === "stage_started" && e.stage === "ppo.update" && e.iteration === iteration,
    );
    assertEquals(code, 137);
  }
  const events = await quickstart.run("killed", ...RARE);
  const updates = ran(events).filter((id) => id.startsWith("ppo.update"));
  // The fourth iteration was in memory at the second kill; its rollouts were stored, and do not run again.
  assertEquals(updates, ["ppo.update[3]", "ppo.update[4]"]);
  assert(
    !ran(events).some((id) => id.startsWith("ppo.rollout") || id.startsWith("ppo.score")),
    ran(events).join(),
  );
  const { outputs, actions } = quickstart.bytes("killed");
  assertEquals(outputs, undisturbed.outputs);
  assertEquals(actions, undisturbed.actions);
});
