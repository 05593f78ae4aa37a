/** The driver over small stages: what runs, what does not, and that the bytes are the same. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { dryRun } from "@/lib/pipeline/engine/dry_run.ts";
import { TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { ran, TOY, toyCode, ToyProject, toyStages } from "./toy.ts";

const ALL = [
  "all",
  "copies.write[0]",
  "copies.write[1]",
  "copies.write[2]",
  "loop.count[0]",
  "loop.count[1]",
  "loop.count[2]",
  "loop.count[3]",
  "loop.join[1]",
  "loop.join[3]",
  "loop.judge[1]",
  "loop.judge[3]",
  "metrics",
  "write",
];

Deno.test("a run unrolls copies and iterations, and ends a loop by its metric", async () => {
  using toy = new ToyProject();
  const result = await toy.run();
  assertEquals(ran(result.events), ALL);
  // 1 + 2 in each iteration: 3, 5, 7, 9 reaches the limit of 9.
  assertEquals(toy.outputs(result).model, "9");
  const ended = result.events.filter((event) => event.type === "loop_ended");
  assertEquals(ended.map(({ time: _, ...event }) => event), [
    { type: "loop_ended", block: "loop", iteration: 3, reason: "count.stopped is 1, above 0" },
  ]);
  const text = toy.outputs(result).text!;
  assertEquals(text.split("|").length, 5);
  assert(text.endsWith("|base=1|loop=9"), text);
  assertEquals(new Set(text.split("|").slice(0, 3)).size, 3, "copies differ by their seeds");
});

Deno.test("the same run again uses cached results and changes no output", async () => {
  using toy = new ToyProject();
  const first = await toy.run();
  const inode = Deno.statSync(first.outputs.text!).ino;
  const second = await toy.run();
  assertEquals(ran(second.events), []);
  assertEquals(second.nodes.filter((node) => node.cached).length, ALL.length);
  assertEquals(toy.outputs(second), toy.outputs(first));
  assertEquals(Deno.statSync(second.outputs.text!).ino, inode, "an output that is right is left alone");
  assertEquals(Deno.lstatSync(second.outputs.text!).isSymlink, false);
});

Deno.test("a changed parameter runs only what depends on it, and says why", async () => {
  using toy = new ToyProject();
  await toy.run();
  const changed = await toy.run({ set: ["loop.count.add=3"] });
  // 4, 7, 10: three iterations. The copies are as before.
  const iterations = [0, 1, 2].map((i) => `loop.count[${i}]`);
  const rare = ["loop.join[1]", "loop.join[2]", "loop.judge[1]", "loop.judge[2]"];
  assertEquals(ran(changed.events), ["all", ...iterations, ...rare, "metrics"]);
  const reasons = changed.events.flatMap((e) =>
    e.type === "stage_started" && e.stage === "loop.count" ? [e.reason] : []
  );
  assertEquals(reasons[0], "add: 2 → 3");
});

Deno.test("after an edit that gives the same bytes, nothing downstream runs", async () => {
  using toy = new ToyProject();
  await toy.run();
  const changed = await toy.run({ set: ["loop.count.pause=1"] });
  assertEquals(ran(changed.events), ["loop.count[0]", "loop.count[1]", "loop.count[2]", "loop.count[3]"]);
});

Deno.test("with more iterations, only the new ones run", async () => {
  using toy = new ToyProject();
  const few = await toy.run({ set: ["loop.count=2"] });
  assertEquals(toy.outputs(few).model, "5");
  const more = await toy.run({ set: ["loop.count=3"] });
  // The third iteration is the last, in which stages with "every" run too.
  assertEquals(ran(more.events), ["all", "loop.count[2]", "loop.join[2]", "loop.judge[2]", "metrics"]);
  assertEquals(toy.outputs(more).model, "7");
});

Deno.test("both executors and any number of threads give the same bytes", async () => {
  using toy = new ToyProject();
  const inline = await toy.run({ runDir: toy.file("a"), threads: 1 });
  const process = await toy.run({ runDir: toy.file("b"), threads: 2, executor: "process" });
  assertEquals(ran(process.events), ALL);
  const digests = (result: typeof inline) =>
    result.events.flatMap((e) =>
      e.type === "stage_finished" ? [`${e.stage} ${e.key} ${JSON.stringify(e.outputs)}`] : []
    ).sort();
  assertEquals(digests(process), digests(inline));
  assertEquals(toy.outputs(process), toy.outputs(inline));
});

Deno.test("wrapping stages in blocks changes no seed and no key", async () => {
  using toy = new ToyProject();
  const plain = await toy.run({
    manifest: "stages: { write: { uses: write-text } }\noutputs: { text: write.text }",
  });
  for (const block of ["foreach: { count: 1 }", "iterate: { count: 1 }"]) {
    const manifest = `stages: { block: { ${block}, stages: { write: { uses: write-text } } } }`;
    assertEquals(ran((await toy.run({ manifest })).events), [], block);
  }
  const other = await toy.run({ manifest: "stages: { write: { uses: write-text } }", seed: 1 });
  assertEquals(ran(other.events), ["write"]);
  assertEquals(plain.nodes[0]!.key === other.nodes[0]!.key, false);
});

Deno.test("a stage without random numbers ignores the seed of the run", async () => {
  using toy = new ToyProject();
  const manifest =
    "inputs: { first: first.txt }\nstages: { join: { uses: join-text, in: { texts: inputs.first } } }";
  await toy.run({ manifest });
  assertEquals(ran((await toy.run({ manifest, seed: 5 })).events), []);
});

Deno.test("runs with one store share results, and each gets its own outputs", async () => {
  using toy = new ToyProject();
  const storeDir = toy.file("store");
  const [a, b] = await Promise.all([
    toy.run({ runDir: toy.file("a"), storeDir }),
    toy.run({ runDir: toy.file("b"), storeDir }),
  ]);
  assertEquals(toy.outputs(a), toy.outputs(b));
  assertEquals([...ran(a.events), ...ran(b.events)].sort(), ALL, "no action ran twice");
});

Deno.test("events report metrics and processed tokens, for cached stages too", async () => {
  using toy = new ToyProject();
  for (const executor of ["inline", "process"] as const) {
    const runDir = toy.file(executor);
    for (const type of ["stage_finished", "stage_cached"] as const) {
      const { events, nodes } = await toy.run({ executor, runDir });
      const third = events.find((e) => e.type === type && e.stage === "loop.count" && e.iteration === 1) as
        & RunEvent
        & {
          readonly type: typeof type;
        };
      assertEquals([third.tokens, third.tokens_per_second], [50, 50 / third.seconds]);
      const write = events.find((e) => e.type === type && e.stage === "write")!;
      assertEquals(["tokens" in write, "tokens_per_second" in write], [false, false], "it reports none");
      assertEquals(nodes.find((n) => n.stage === "loop.count")!.tokens, 50);
      const told = events.filter((e) => "iteration" in e && e.iteration === 1);
      const values = told.flatMap((e) => e.type === "metrics" ? [e.values] : []);
      const rows = told.flatMap((e) => e.type === "evals" ? [e.rows[0]] : []);
      const row = { model: "count", mode: "greedy", metric: "score", mean: 0, stderr: 0, n: 1 };
      assertEquals([values, rows], [[{ stopped: 0, value: 5 }], [row]]);
    }
  }
});

Deno.test("a cached stage repeats its warnings, with any executor; a record without warnings has none", async () => {
  using toy = new ToyProject();
  for (const executor of ["inline", "process"] as const) {
    const run = () => toy.run({ executor, runDir: toy.file(executor), set: ["loop.count.warn_at=7"] });
    const first = (await run()).events, again = (await run()).events;
    const told = first.flatMap((e) =>
      e.type === "stage_progress" && e.warning ? [[e.iteration, [e.warning]]] : []
    );
    assertEquals(told, [[2, ["the value is 7"]], [3, ["the value is 9"]]]);
    const retold = again.flatMap((e) =>
      e.type === "stage_cached" && e.warnings ? [[e.iteration, e.warnings]] : []
    );
    assertEquals(retold, told);
    const log = Deno.readTextFileSync(join(toy.file(executor), "run.jsonl")).trim().split("\n");
    assertEquals(log.slice(-again.length).map((line) => JSON.parse(line)), [...again]);
  }
  // A store of an earlier version.
  const folder = join(toy.file("inline"), "store", "actions");
  for (const { name } of Deno.readDirSync(folder)) {
    const { warnings: _, check: __, ...older } = JSON.parse(Deno.readTextFileSync(join(folder, name)));
    Deno.writeTextFileSync(join(folder, name), JSON.stringify(older));
  }
  const { events } = await toy.run({ runDir: toy.file("inline"), set: ["loop.count.warn_at=7"] });
  assertEquals([ran(events), events.some((e) => "warnings" in e)], [[], false]);
});

Deno.test("--fresh runs everything again", async () => {
  using toy = new ToyProject();
  await toy.run();
  const again = await toy.run({ fresh: true });
  assertEquals(ran(again.events), ALL);
  assertEquals(again.events.find((e) => e.type === "stage_started")?.reason, "--fresh ignores the cache");
});

Deno.test("the action of a damaged blob runs again if the blob is needed, and only then", async () => {
  using toy = new ToyProject();
  const first = await toy.run();
  const node = first.nodes.find((n) => n.stage === "write")!;
  const digest = first.events.flatMap((e) =>
    e.type === "stage_finished" && e.stage === "write" ? [e.outputs.text!] : []
  )[0]!;
  const blob = join(toy.file("run/store/blobs"), digest.slice(0, 2), digest);
  Deno.chmodSync(blob, 0o644);
  Deno.truncateSync(blob, 3);
  assertEquals(Deno.statSync(node.outputs.text!).size, 3, "the view is the same file");
  assertEquals(ran((await toy.run()).events), [], "nothing reads it");
  const more = await toy.run({ set: ["copies.count=4"] });
  assertEquals(ran(more.events).filter((id) => id.startsWith("copies")), ["copies.write[3]"]);
  assertEquals(more.events.some((e) => e.type === "stage_started" && e.stage === "write"), true);
  assert(Deno.statSync(blob).size > 3);
});

Deno.test("if an action gives other bytes when it runs again, what reads it runs again too", async () => {
  using toy = new ToyProject();
  const set = ["write.unsteady=true"];
  const first = await toy.run({ set });
  const digest = first.events.flatMap((e) =>
    e.type === "stage_finished" && e.stage === "write" ? [e.outputs.text!] : []
  )[0]!;
  Deno.removeSync(join(toy.file("run/store/blobs"), digest.slice(0, 2), digest));
  const more = await toy.run({ set: [...set, "copies.count=4"] });
  const copies = [0, 1, 2, 3].map((i) => `copies.write[${i}]`);
  assertEquals(ran(more.events).filter((id) => /write/.test(id)), [...copies, "write"]);
  const parts = toy.outputs(more).text!.split("|");
  const heads = parts.slice(0, 4).map((part) => part.split("\n").slice(0, 2).join("\n"));
  assertEquals(new Set(heads).size, 1, "all copies begin with the same text");
});

Deno.test("models of early iterations are removed, and recomputed when something needs them", async () => {
  using toy = new ToyProject();
  const set = ["loop.count=5", "loop.count.limit=100"];
  const result = await toy.run({ set });
  const outputs = result.nodes.filter((node) => node.stage === "loop.count").map((node) =>
    Object.keys(node.outputs).sort()
  );
  // The last two are kept, and the model of the best iteration. "reward", the default of "best_metric", is no metric of this stage.
  const [dropped, best, kept] = [["metrics"], ["metrics", "model"], ["metrics", "model", "state"]];
  assertEquals(outputs, [dropped, best, dropped, kept, kept]);
  assertEquals(
    ran((await toy.run({ set })).events),
    [],
    "removed outputs that nothing needs are no reason to run",
  );
  const shorter = await toy.run({ set: ["loop.count=2", "loop.count.limit=100"] });
  assertEquals(toy.outputs(shorter).model, "5");
});

Deno.test("keep: all keeps every iteration, and best_metric the iteration with the greatest value", async () => {
  using toy = new ToyProject();
  const models = async (keep: string) => {
    const manifest = TOY.replace("stages:", `keep: ${keep}\nstages:`);
    const { nodes } = await toy.run({
      manifest,
      runDir: toy.file(keep.length.toString()),
      set: ["loop.count.add=-2"],
    });
    return nodes.filter((n) => n.stage === "loop.count" && n.outputs.model).map((n) => n.iteration);
  };
  assertEquals(await models("all"), [0, 1, 2, 3, 4, 5]);
  // Iteration 1 is the loop's best, by its evaluation.
  assertEquals(await models("{ policies: 1, best_metric: value }"), [0, 1, 5]);
  assertEquals(await models("{ policies: 3, best_metric: null }"), [1, 3, 4, 5]);
});

Deno.test("an interrupted run lets the stage save its step, stores what is finished, and resumes", async () => {
  using toy = new ToyProject();
  for (const executor of ["inline", "process"] as const) {
    const stop = new AbortController();
    const runDir = toy.file(executor);
    const set = ["loop.count.pause=20"];
    const error = await assertRejects(
      () =>
        toy.run({
          runDir,
          executor,
          set,
          signal: stop.signal,
          listener: (e) =>
            e.type === "stage_progress" && e.stage === "loop.count" && e.iteration === 1 && e.step === 1 &&
            stop.abort(),
        }),
      TryAgainError,
    );
    assert(
      /^Interrupted: \d+ of 18 stages are finished and stored\. Run the same command to resume$/.test(
        error.message,
      ),
      error.message,
    );
    const log = Deno.readTextFileSync(join(runDir, "run.jsonl")).trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    assertEquals(log.at(-1).type, "run_stopped");
    const rest = await toy.run({ runDir, executor, set });
    assertEquals(ran(rest.events).includes("loop.count[0]"), false);
    assertEquals(toy.outputs(rest).model, "9");
  }
});

Deno.test("a stage that fails ends the run with its error, which is in the log", async () => {
  using toy = new ToyProject();
  for (const executor of ["inline", "process"] as const) {
    const error = await assertRejects(() =>
      toy.run({ executor, set: ["write.fail=true"], runDir: toy.file(executor) })
    );
    assertEquals((error as Error).message, "Failed on purpose: fail is true");
    const log = Deno.readTextFileSync(toy.file(`${executor}/run.jsonl`)).trim().split("\n").map((line) =>
      JSON.parse(line)
    );
    const { time: _, ...last } = log.find((event) => event.type === "stage_failed");
    assertEquals(last, {
      stage: "write",
      uses: "write-text",
      type: "stage_failed",
      message: "Failed on purpose: fail is true",
      exit_code: 70,
    });
  }
});

Deno.test("a run directory is used by one run at a time", async () => {
  using toy = new ToyProject();
  const inner: Promise<unknown>[] = [];
  await toy.run({
    listener: (event) => {
      if (event.type !== "run_started") return;
      inner.push(assertRejects(() => toy.run(), TryAgainError));
    },
  });
  const [error] = await Promise.all(inner) as TryAgainError[];
  const message = error!.message.replace(/process \d+, since \S+/, "process P, since T");
  assertEquals(
    message,
    `Run directory ${toy.file("run")} is in use by process P, since T`,
  );
});

Deno.test("a run directory that cannot be created is refused", async () => {
  using toy = new ToyProject();
  const error = await assertRejects(() => toy.run({ runDir: toy.file("first.txt/run") }), UsageError);
  const path = toy.file("first.txt/run");
  assertEquals(error.message, `Cannot write ${path}: a part of the path is not a directory`);
});

Deno.test("a dry run lists what would run and why, and leaves no trace", async () => {
  using toy = new ToyProject();
  const look = async (set: readonly string[]) => {
    const blueprint = await toy.blueprint({ set });
    const options = {
      stages: toyStages,
      code: toyCode,
      runDir: toy.file("run"),
      storeDir: toy.file("run/store"),
    };
    return Object.fromEntries(
      (await dryRun(blueprint, options)).filter((p) => p.runs).map((p) => [p.id, p.reason]),
    );
  };
  const before = await look([]);
  assertEquals(before.write, "not run before");
  assertEquals(
    before["loop.count[5]"],
    "depends on loop.count[4], copies.write[0], copies.write[1], and 1 more",
  );
  assertEquals(Object.hasOwn(before, "loop.join[5]"), true);
  assertEquals([...Deno.readDirSync(toy.path)].map((e) => e.name).sort(), ["base", "first.txt"]);
  await toy.run();
  assertEquals(await look([]), {});
  assertEquals(await look(["all.separator=+"]), { all: 'separator: "|" → "+"' });
  assertEquals(await look(["copies.write.word=c"]).then((r) => r["copies.write[2]"]), 'word: "a" → "c"');
});

Deno.test("input files count by content: for a copy elsewhere nothing runs, after a change what reads it", async () => {
  using toy = new ToyProject();
  await toy.run();
  toy.write("second.txt", "first\n");
  const moved = await toy.run({ manifest: TOY.replace("first: first.txt", "first: second.txt") });
  assertEquals(ran(moved.events), []);
  toy.write("first.txt", "other\n");
  const changed = await toy.run();
  assertEquals(ran(changed.events).includes("write"), true);
});

Deno.test("an old parameter name in --set fails with the new name", async () => {
  using toy = new ToyProject();
  const error = await assertRejects(() => toy.run({ set: ["loop.count.increment=3"] }), UsageError);
  assertEquals(
    error.message,
    'Invalid manifest toy.yaml: 1 problem\n  toy.yaml:16:114: unknown parameter "increment": it is now "add"',
  );
});
