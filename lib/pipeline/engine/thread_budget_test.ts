import { assertEquals } from "@std/assert";
import { ThreadBudget } from "./thread_budget.ts";

Deno.test("ThreadBudget gives a single stage all threads, and shares them among stages that are ready together", async () => {
  const budget = new ThreadBudget(4, true);
  const lone = await budget.take();
  assertEquals(lone.threads, 4);
  const waiting = [budget.take(), budget.take(), budget.take()];
  lone[Symbol.dispose]();
  const shares = await Promise.all(waiting);
  assertEquals(shares.map((share) => share.threads), [1, 1, 2]);
  shares[2]![Symbol.dispose]();
  shares[2]![Symbol.dispose]();
  assertEquals((await budget.take()).threads, 2, "given back once");
});

Deno.test("ThreadBudget grants one stage at a time if stages cannot run in parallel", async () => {
  const budget = new ThreadBudget(3, false);
  const first = await budget.take();
  assertEquals(first.threads, 3);
  let later = false;
  const second = budget.take().then((share) => (later = true, share));
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(later, false);
  first[Symbol.dispose]();
  assertEquals((await second).threads, 3);
});
