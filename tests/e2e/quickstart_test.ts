/**
 * The real pipeline on the small quickstart: what must not change a byte, what runs again and what is cached, and every stage
 * alone.
 * @module
 */
import { assertEquals } from "@std/assert";
import { counts, NODES, ran, SmallQuickstart } from "./small_quickstart.ts";
import { runAlone, runInterrupted } from "./stage_alone.ts";

Deno.test("the small quickstart", async (t) => {
  using quickstart = new SmallQuickstart();
  const first = await quickstart.run("run");
  const bytes = quickstart.bytes("run");

  await t.step("runs every stage and writes its outputs", () => {
    assertEquals(counts(first), { ran: NODES, cached: 0 });
    assertEquals(Object.keys(bytes.actions).length, NODES);
    assertEquals(
      [...Deno.readDirSync(quickstart.file("run/outputs"))].map(({ name }) => name).sort(),
      ["evals.arrow", "policy", "reward"],
    );
  });

  await t.step("changes the policy, so that equal bytes mean something", () => {
    const policies = Object.values(bytes.actions).flatMap((outputs) => {
      const { policy } = outputs as { policy?: { digest: string } };
      return policy ? [policy.digest] : [];
    });
    // SFT, two members, continued SFT, and the iterations after the critic's warm-up: the first keeps SFT's weights.
    assertEquals(new Set(policies).size, 6);
  });

  await t.step("gives the same bytes with one thread", async () => {
    await quickstart.run("one", "--threads", "1");
    assertEquals(quickstart.bytes("one"), bytes);
  });

  await t.step("gives the same bytes with every stage in a separate process", async () => {
    await quickstart.run("processes", "--executor", "process");
    assertEquals(quickstart.bytes("processes"), bytes);
  });

  await t.step("gives the same bytes from the stages alone", async (t) => {
    for (const stage of ["tokenize", "sft", "members.sft[1]", "reward", "continued", "eval"]) {
      await t.step(stage, () => runAlone(quickstart, "run", stage));
    }
    // Of the last iteration, as its inputs are still stored.
    for (const stage of ["ppo.rollout[2]", "ppo.score[2]", "ppo.update[2]"]) {
      await t.step(stage, () => runAlone(quickstart, "run", stage));
    }
  });

  await t.step("exits with 75 from every stage that is interrupted", async () => {
    const nodes = ["tokenize", "sft", "reward", "ppo.rollout[2]", "ppo.score[2]", "ppo.update[2]", "eval"];
    for (const node of nodes) assertEquals(await runInterrupted(quickstart, "run", node), 75, node);
  });

  await t.step("runs nothing when it is run again", async () => {
    const events = await quickstart.run("run");
    assertEquals(ran(events), []);
    assertEquals(counts(events), { ran: 0, cached: NODES });
    assertEquals(quickstart.bytes("run"), bytes);
  });

  await t.step("runs eval alone when a parameter of eval changes", async () => {
    assertEquals(ran(await quickstart.run("run", "--set", "eval.max_new_tokens=10")), ["eval"]);
  });

  await t.step("runs the new iteration and what depends on it when there are more iterations", async () => {
    const events = await quickstart.run("run", "--set", "ppo.count=4");
    assertEquals(ran(events), ["continued", "eval", "ppo.rollout[3]", "ppo.score[3]", "ppo.update[3]"]);
  });

  await t.step("runs nothing with the settings of an earlier run", async () => {
    // As after a kill while an output is copied.
    Deno.mkdirSync(quickstart.file("run/outputs/policy.0123abcd.partial"));
    const events = await quickstart.run("run");
    assertEquals(ran(events), []);
    assertEquals(quickstart.bytes("run").outputs, bytes.outputs);
  });
});
