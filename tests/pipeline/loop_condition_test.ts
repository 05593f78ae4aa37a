/**
 * The condition of a loop (`when`): whether it runs, what its values are without iterations, which stages are left out with
 * it, and what dry runs, reruns and `--set` do. The metric `value` of `first` is 1 + add.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { dryRun, dryRunText } from "@/lib/pipeline/engine/dry_run.ts";
import { createDisplay } from "@/lib/report/display.ts";
import { ran, toyCode, type ToyOptions, ToyProject, toyStages } from "./toy.ts";

/** A loop that runs if `first.value` is above 5, and stages that read it in every way. */
const MANIFEST = `
inputs: { base: base, first: first.txt }
stages:
  first: { uses: count-iterations, in: { model: inputs.base }, with: { add: 2, limit: 99 } }
  loop:
    iterate:
      count: 3
      when: { metric: first.metrics.value, above: 5 }
      carry: { model: first.model, state: null }
      best: { metric: count.metrics.value }
    stages:
      count: { uses: count-iterations, in: { model: carry.model, state: carry.state }, with: { add: 2, limit: 99 } }
    next: { model: count.model, state: count.state }
  all: { uses: join-text, in: { texts: loop.metrics } }
  after_all: { uses: join-text, in: { texts: all.text } }
  late: { uses: count-iterations, in: { model: loop.model, texts: all.text }, with: { add: 1, limit: 99 } }
  mixed: { uses: join-text, in: { texts: [inputs.first, all.text], named: { late: late.model, loop: loop.model } } }
outputs: { last: loop.model, best: loop.best, state: loop.state, all: all.text, after_all: after_all.text, mixed: mixed.text }
`;

const SKIPPED = { last: "3", best: "3", mixed: "first\n|loop=3" };

async function run(toy: ToyProject, options: ToyOptions = {}) {
  const result = await toy.run({ manifest: MANIFEST, ...options });
  return { ...result, ran: ran(result.events), values: toy.outputs(result) };
}

function skips(events: readonly RunEvent[]): unknown[] {
  return events.flatMap((event) => event.type === "loop_skipped" ? [[event.block, event.reason]] : []);
}

async function dry(toy: ToyProject, options: ToyOptions = {}): Promise<string> {
  const [runDir, storeDir] = [toy.file("run"), toy.file("run/store")];
  const blueprint = await toy.blueprint({ manifest: MANIFEST, ...options });
  return dryRunText(await dryRun(blueprint, { stages: toyStages, code: toyCode, runDir, storeDir }));
}

Deno.test("a loop whose condition does not hold has no iterations: its values are the initial ones, and what reads its iterations is left out", async () => {
  using toy = new ToyProject();
  const result = await run(toy);
  assertEquals(result.ran, ["first", "mixed"]);
  assertEquals(result.values, SKIPPED);
  assertEquals(skips(result.events), [["loop", "it requires first.value above 5, got 3"]]);
  assertEquals(result.best, []);
  const again = await run(toy);
  assertEquals([again.ran, again.values], [[], SKIPPED]);
});

Deno.test("a loop whose condition holds runs as without one, from the same store", async () => {
  using toy = new ToyProject();
  const set = ["first.add=6"]; // 7
  const free = await run(toy, { set: [...set, "loop.when=null"], runDir: toy.file("free") });
  const bound = await run(toy, { set, runDir: toy.file("bound"), storeDir: toy.file("free/store") });
  assertEquals(bound.values, free.values);
  assertEquals([free.ran.length, bound.ran, skips(bound.events)], [8, [], []]);
  assertEquals(free.values.last, "13");
});

Deno.test("--set BLOCK.when=null runs the loop whatever the metric, and its results stay for later runs", async () => {
  using toy = new ToyProject();
  await run(toy);
  const forced = await run(toy, { set: ["loop.when=null"] });
  const iterations = [0, 1, 2].map((i) => `loop.count[${i}]`);
  assertEquals(forced.ran, ["after_all", "all", "late", ...iterations, "mixed"]);
  assertEquals(forced.values.last, "9");
  assertEquals((await run(toy)).values, SKIPPED);
  assertEquals((await run(toy, { set: ["loop.when=null"] })).ran, []);
  await assertRejects(
    () => run(toy, { set: ["loop.when=1"] }),
    UsageError,
    'Invalid --set: "loop.when=1": when can only be set to null, got 1',
  );
});

Deno.test("a dry run shows the condition while it is unknown, then the loop that would not run", async () => {
  using toy = new ToyProject();
  const unknown = await dry(toy);
  assert(unknown.includes("maybe   loop"), unknown);
  assert(unknown.includes("only if first.value above 5"), unknown);
  assert(unknown.endsWith("8 stages to run, 0 cached\n"), unknown);
  await run(toy, { to: ["first"] });
  const text = await dry(toy);
  assertEquals(text.split("\n").map((line) => line.trimEnd()), [
    "skip    loop   it requires first.value above 5, got 3",
    "run     mixed  not run before",
    "1 stage to run, 1 cached",
    "",
  ]);
});

Deno.test("--to a loop keeps the stage of its condition; the log says that the loop did not run", async () => {
  using toy = new ToyProject();
  let log = "";
  const display = createDisplay({ json: false, terminal: false, write: (text) => void (log += text) });
  const result = await run(toy, { to: ["loop"], listener: (event) => display.event(event) });
  assertEquals(result.ran, ["first"]);
  assert(log.includes("did not run: it requires first.value above 5, got 3"), log);
});

Deno.test("the condition must name a metric of a stage outside of blocks, which must be there", async () => {
  using toy = new ToyProject();
  const problem = async (when: string) =>
    (await assertRejects(() =>
      toy.blueprint({ manifest: MANIFEST.replace("{ metric: first.metrics.value, above: 5 }", when) })
    ) as Error).message;
  const inner = await problem("{ metric: count.metrics.value, above: 5 }");
  assert(inner.includes('outside of blocks: unknown stage "count"'), inner);
  const port = await problem("{ metric: first.model.value, above: 5 }");
  assert(port.includes('"metric" must name an output of "first" that is metrics@1 (metrics)'), port);
  const both = await problem("{ metric: first.metrics.value, above: 5, below: 1 }");
  assert(both.includes("must have either above or below"), both);
  await assertRejects(
    () => run(toy, { manifest: MANIFEST.replace("first.metrics.value", "first.metrics.other") }),
    DataError,
    'The condition of a loop (when) requires that first writes metric "other"',
  );
});
