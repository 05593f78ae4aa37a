/** Runs of a part of a plan. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { ran, ToyProject } from "./toy.ts";

Deno.test("a run to a stage runs what it reads and nothing else; the full run uses those results", async () => {
  using toy = new ToyProject();
  const copies = ["copies.write[0]", "copies.write[1]", "copies.write[2]"];
  const part = await toy.run({ to: ["copies"] });
  assertEquals(ran(part.events), [...copies, "write"]);
  assertEquals(part.outputs, {});
  const loop = await toy.run({ to: ["loop"] });
  assertEquals(new Set(ran(loop.events).map((id) => id.split(".")[0])), new Set(["loop"]), "no copy again");
  assertEquals(Object.keys(loop.outputs), ["model", "best"]);
  const rest = await toy.run();
  assertEquals(ran(rest.events), ["all", "metrics"]);
  using other = new ToyProject();
  assertEquals(toy.outputs(rest), other.outputs(await other.run()));
});

Deno.test("several stages may be named; what both read runs once", async () => {
  using toy = new ToyProject();
  const { events } = await toy.run({ to: ["write", "copies"] });
  assertEquals(ran(events), ["copies.write[0]", "copies.write[1]", "copies.write[2]", "write"]);
});

Deno.test("a stage of a block and an unknown name are refused together", async () => {
  using toy = new ToyProject();
  const error = await assertRejects(() => toy.blueprint({ to: ["loop.count", "all", "wirte"] }), UsageError);
  assertEquals(
    error.message,
    '--to must name stages or blocks of toy.yaml, got "loop.count" (in block "loop", which runs as a whole); ' +
      '"wirte", did you mean "write"?',
  );
});
