/** Concurrent runs over one store, as in an experiment with one seed: shared stages run once. @module */
import { assertEquals } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { ToyProject } from "@/tests/pipeline/toy.ts";

/** Returns the keys of the stages that ran. */
function made(events: readonly RunEvent[]): string[] {
  return events.flatMap((event) => event.type === "stage_finished" ? [event.key] : []);
}

Deno.test("runs that differ in late stages share the equal early stages, whichever run is first", async () => {
  using project = new ToyProject();
  await project.blueprint(); // loads the stages: two imports of one module at the same moment are no part of this
  const storeDir = project.file("store");
  const run = (name: string, set: readonly string[]) =>
    project.run({ runDir: project.file(name), storeDir, set });
  const [plain, changed] = await Promise.all([run("plain", []), run("changed", ["loop.count.limit=5"])]);
  const own = (events: readonly RunEvent[]) => new Set(made(events));
  assertEquals([...own(plain!.events)].filter((key) => own(changed!.events).has(key)), []);
  const early = [plain!, changed!].flatMap(({ events }) =>
    events.flatMap((e) => e.type === "stage_finished" && /^(write|copies)/.test(e.stage) ? [e.key] : [])
  );
  assertEquals(early.length, 4, "one write and three copies");
});
