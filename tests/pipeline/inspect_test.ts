/** Status, log, lineage, differences and unused results of runs of the toy project. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { readRunLock } from "@/lib/pipeline/engine/run_directory.ts";
import { Store } from "@/lib/pipeline/engine/store.ts";
import { readTree } from "@/lib/pipeline/engine/tree.ts";
import { findUnused, removeUnused } from "@/lib/pipeline/engine/unused_results.ts";
import { lineageOf, lineageText } from "@/lib/pipeline/inspect/lineage.ts";
import { readRecordedRun, type RecordedRun } from "@/lib/pipeline/inspect/recorded_run.ts";
import { differenceText, diffRuns } from "@/lib/pipeline/inspect/run_difference.ts";
import { runStatus, statusText } from "@/lib/pipeline/inspect/run_status.ts";
import { loggedStage, logLine } from "@/lib/pipeline/inspect/stage_log.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { ran, TOY, ToyProject } from "./toy.ts";

/** Returns the status of a run of which the log ends after the first `count` events. */
function statusAfter(run: RecordedRun, count: number, process?: number) {
  const events = run.events.slice(0, count);
  return runStatus({ ...run, events, process }, events.at(-1)!.time + 1000);
}

Deno.test("the status of a finished run has every stage with the nodes that ran, and those that a loop left out", async () => {
  using toy = new ToyProject();
  await toy.run();
  const status = runStatus(readRecordedRun(toy.file("run")), Date.now());
  assertEquals([status.state, status.process, status.message], ["finished", null, null]);
  assertEquals(status.stages.map(({ stage, state, ran }) => [stage, state, ran]), [
    ["write", "done", 1],
    ["copies.write", "done", 3],
    ["loop.count", "done", 4],
    ["loop.join", "done", 2],
    ["loop.judge", "done", 2],
    ["all", "done", 1],
    ["metrics", "done", 1],
  ]);
  const again = (await toy.run(), runStatus(readRecordedRun(toy.file("run")), Date.now()));
  assertEquals(again.stages.every(({ ran, cached }) => ran === 0 && cached > 0), true);
  assert(statusText(again).includes("write         done  1/1  1 cached\n"), statusText(again));
});

Deno.test("the status of a run in progress, of a killed, an interrupted and a failed one", async () => {
  using toy = new ToyProject();
  await toy.run();
  const run = readRecordedRun(toy.file("run"));
  const begun = run.events.findIndex((event) =>
    event.type === "stage_started" && event.stage === "loop.count"
  );
  const running = statusAfter(run, begun + 1, 4321);
  assertEquals([running.state, running.process], ["running", 4321]);
  assertEquals(running.stages.find(({ stage }) => stage === "loop.count")!.state, "running");
  assertEquals(running.stages.find(({ stage }) => stage === "all")!.state, "waiting");
  assert(statusText(running).includes("running loop.count, iteration 1: 1.0 s"), statusText(running));
  const killed = statusAfter(run, begun + 1);
  assertEquals([killed.state, killed.running], ["killed", []]);
  const { events } = run, time = events.at(-1)!.time;
  const ended = (event: object) =>
    runStatus({ ...run, events: [...events.slice(0, begun), { time, ...event } as never] }, time);
  const interrupted = ended({ type: "run_stopped", message: "Interrupted: …" });
  assertEquals([interrupted.state, interrupted.message], ["interrupted", "Interrupted: …"]);
  const node = { stage: "loop.count", uses: "count-iterations", iteration: 0 };
  const failed = ended({ type: "stage_failed", ...node, message: "no", exit_code: 70 });
  assertEquals([failed.state, failed.message], ["failed", "loop.count failed: no"]);
});

Deno.test("a directory without a run is refused by the name of the log", () => {
  using toy = new ToyProject();
  const error = assertThrows(() => readRecordedRun(toy.file("none")), UsageError);
  assertEquals(error.message, `Expected a run directory with run.jsonl, got ${toy.file("none")}`);
});

Deno.test("the log of a stage has only its events, of one iteration if one is named", async () => {
  using toy = new ToyProject();
  await toy.run();
  const { events } = readRecordedRun(toy.file("run"));
  const lines = (name: string) =>
    events.flatMap((event) => logLine(event, loggedStage(name, events)) ?? []).map((line) => line.slice(25));
  assertEquals(lines("loop.count[1]")[0], "loop.count[1]: started: not run before");
  assert(lines("loop.count").length > lines("loop.count[1]").length);
  assert(
    lines("loop.count").some((line) => /^loop.count\[3\]: .*stopped 1/.test(line)),
    lines("loop.count").join("\n"),
  );
  const error = assertThrows(() => loggedStage("loop.cuont", events), UsageError);
  assertEquals(error.message, 'Expected a stage of the run, got "loop.cuont", did you mean "loop.count"?');
});

Deno.test("the lineage of an output reaches the user's files", async () => {
  using toy = new ToyProject();
  const result = await toy.run();
  const lock = readRunLock(toy.file("run"))!, records = new Store(toy.file("run/store")).records();
  const digest = readTree(result.outputs.model!).digest;
  const lineage = lineageOf(digest, { records, lock, path: "model" });
  assertEquals(lineage.made_by, "loop.count[3].model");
  assertEquals(
    lineage.nodes.map(({ id }) => id).filter((id) => id.startsWith("loop")),
    [0, 1, 2, 3].map((i) => `loop.count[${i}]`),
  );
  assertEquals(
    lineage.nodes.at(-1)!.inputs.find(({ port }) => port === "model")!.from,
    "loop.count[2].model",
  );
  assertEquals(lineage.nodes.at(-1)!.params, { add: 2, limit: 9, pause: 0, warn_at: 100 });
  assertEquals(lineage.sources.map(({ name }) => name).sort(), ["base", "first"]);
  const text = lineageText(lineage, "model");
  assert(text.includes("loop.count, 4 times (count-iterations"), text);
  const error = assertThrows(() => lineageOf("0", { records, lock, path: "other" }), DataError);
  assertEquals(error.message, "No result in the store has the content of other");
});

Deno.test("a model that a stage passes on unchanged was made by what made it first", async () => {
  using toy = new ToyProject();
  await toy.run({ set: ["loop.count.add=0", "loop.count=3"] });
  const lock = readRunLock(toy.file("run"))!, records = new Store(toy.file("run/store")).records();
  const model = records.find(({ parts }) => parts.stage === "count-iterations")!.outputs.model!;
  const lineage = lineageOf(model.digest, { records, lock, path: "model" });
  assertEquals(lineage.made_by, "loop.count[0].model");
  assertEquals(lineage.nodes.at(-1)!.inputs.find(({ port }) => port === "model")!.from, "base");
});

Deno.test("the lineage of a single file of a model is that of the model", async () => {
  using toy = new ToyProject();
  const result = await toy.run();
  const lock = readRunLock(toy.file("run"))!, records = new Store(toy.file("run/store")).records();
  const { digest } = readTree(join(result.outputs.model!, "value.txt"));
  assertEquals(lineageOf(digest, { records, lock, path: "value.txt" }).made_by, "loop.count[3].model");
});

Deno.test("the difference of two runs names parameters, inputs, seeds and metrics, and nothing that is equal", async () => {
  using toy = new ToyProject();
  const compared = async (options: Parameters<ToyProject["run"]>[0], name: string) => {
    const runDir = toy.file(name);
    await toy.run({ ...options, runDir });
    return { lock: readRunLock(runDir)!, events: readRecordedRun(runDir).events };
  };
  const a = await compared({}, "a"), b = await compared({ set: ["loop.count.add=3"], seed: 7 }, "b");
  assertEquals(diffRuns(a, a).differences, []);
  assertEquals(diffRuns(a, b).differences, [
    { name: "seed", a: 0, b: 7 },
    { name: "loop.count.add", a: 2, b: 3 },
    { name: "metrics input texts", a: 4, b: 3 },
    { name: "stages in all", a: 14, b: 13 },
  ]);
  toy.write("first.txt", "other\n");
  const c = await compared({}, "c");
  assertEquals(diffRuns(a, c).differences.map(({ name }) => name), ["input first"]);
  const text = differenceText(diffRuns(a, b), ["a", "b"]);
  assert(text.startsWith("a → b\nseed: 0 → 7\nloop.count.add: 2 → 3\n"), text);
  assert(/loop\.judge count \w+ score +/.test(text), text);
});

Deno.test("unused results are those that no kept run names; removing them leaves the kept run cached", async () => {
  using toy = new ToyProject();
  const store = new Store(toy.file("store")), storeDir = store.dir;
  await toy.run({ storeDir });
  const kept = new Set(Object.values(readRunLock(toy.file("run"))!.nodes).map(({ key }) => key));
  assertEquals(findUnused(store, kept).records, []);
  await toy.run({ storeDir, runDir: toy.file("other"), set: ["loop.count.add=3"] });
  const unused = findUnused(store, kept);
  assertEquals(
    new Set(unused.records.map(({ parts }) => parts.stage)),
    new Set(["count-iterations", "judge-models", "join-text"]),
  );
  assert(unused.bytes > 0);
  removeUnused(unused);
  assertEquals(findUnused(store, kept), { records: [], paths: [], bytes: 0 });
  assertEquals(ran((await toy.run({ storeDir })).events), []);
  assertEquals(
    ran((await toy.run({ storeDir, runDir: toy.file("other"), set: ["loop.count.add=3"] })).events).length,
    9,
  );
});

Deno.test("the checkpoint of an interrupted stage that a kept run will resume is not unused", async () => {
  using toy = new ToyProject();
  await toy.run({ manifest: TOY });
  const store = new Store(toy.file("run/store"));
  const kept = new Set(Object.values(readRunLock(toy.file("run"))!.nodes).map(({ key }) => key));
  const [key] = kept;
  Deno.removeSync(join(store.dir, "actions", `${key}.json`));
  Deno.mkdirSync(store.scratch(key!), { recursive: true });
  Deno.mkdirSync(store.scratch("0".repeat(64)), { recursive: true });
  const paths = findUnused(store, kept).paths.filter((path) => path.includes("/store/tmp/"));
  assertEquals(paths.map((path) => path.slice(-64)), ["0".repeat(64)]);
});
