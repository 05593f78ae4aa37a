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

Deno.test("--from runs the stages that depend on it, and needs the others in the store", async () => {
  using toy = new ToyProject();
  const error = await assertRejects(() => toy.run({ from: ["loop"] }), UsageError);
  assertEquals(
    error.message,
    "--from and --only need the results of all other stages in the store, got none of write, copies.write. " +
      "Run without the flag, or first with --to copies",
  );
  await toy.run({ to: ["copies"] });
  const { events, outputs } = await toy.run({ from: ["loop"] });
  assertEquals(new Set(ran(events).map((id) => id.split(".")[0])), new Set(["all", "loop", "metrics"]));
  using other = new ToyProject();
  assertEquals(toy.outputs({ outputs }), other.outputs(await other.run()));
});

Deno.test("--from with --to runs what lies between them", async () => {
  using toy = new ToyProject();
  await toy.run({ to: ["write"] });
  const { events } = await toy.run({ from: ["copies"], to: ["copies"] });
  assertEquals(ran(events), ["copies.write[0]", "copies.write[1]", "copies.write[2]"]);
});

Deno.test("--only runs one stage", async () => {
  using toy = new ToyProject();
  await toy.run({ to: ["copies"] });
  const { events, outputs } = await toy.run({ only: ["loop"], set: ["loop.count.add=3"] });
  assertEquals(new Set(ran(events).map((id) => id.split(".")[0])), new Set(["loop"]));
  assertEquals(Object.keys(outputs), ["model", "best"]);
  const both = await assertRejects(() => toy.blueprint({ only: ["loop"], to: ["all"] }), UsageError);
  assertEquals(both.message, "--only excludes --to and --from");
});

Deno.test("--force runs a stage again; its readers stay cached where the bytes are equal", async () => {
  using toy = new ToyProject();
  await toy.run();
  assertEquals(ran((await toy.run({ force: ["write"] })).events), ["write"]);
  assertEquals(ran((await toy.run({ force: ["loop.judge", "copies"] })).events), [
    "copies.write[0]",
    "copies.write[1]",
    "copies.write[2]",
    "loop.judge[1]",
    "loop.judge[3]",
  ]);
  const error = await assertRejects(() => toy.run({ force: ["wirte", "loop.count"] }), UsageError);
  assertEquals(
    error.message,
    '--force must name stages or blocks that run, got "wirte", did you mean "write"?',
  );
});
