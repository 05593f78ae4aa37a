/** Loops that write their models only in some iterations: what is written when, what runs again, and that bytes are the same. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import type { ActionRecord } from "@/lib/pipeline/engine/action_record.ts";
import { dryRun } from "@/lib/pipeline/engine/dry_run.ts";
import { Store } from "@/lib/pipeline/engine/store.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { kill } from "@/tests/e2e/interrupted.ts";
import { randomNumbers } from "@/tests/support/random_numbers.ts";
import { ran, toyCode, ToyProject, toyStages } from "./toy.ts";

/** Eight iterations that add one to a number; `loop` and `more` are further keys and stages. */
function manifest({ loop = "", keep = "all", more = "", outputs = "" } = {}): string {
  return `
inputs: { base: base }
stages:
  loop:
    iterate:
      count: 8
      publish: 3
      carry: { model: inputs.base, state: null }
${loop}
    stages:
      grow: { uses: grow-model, in: { model: carry.model, state: carry.state } }
    next: { model: grow.model, state: grow.state }
${more}
outputs: { model: loop.model ${outputs} }
keep: ${keep}
`;
}

/** Returns the records of the loop's iterations, in order. */
function iterations(toy: ToyProject, run = "run"): ActionRecord[] {
  return new Store(join(toy.file(run), "store")).records()
    .filter(({ parts }) => parts.stage === "grow-model")
    .sort((a, b) => a.parts.iteration! - b.parts.iteration!);
}

/** Returns the iterations of which the store holds everything. */
function stored(toy: ToyProject, run = "run"): number[] {
  const store = new Store(join(toy.file(run), "store"));
  return iterations(toy, run).filter((r) => Object.values(r.outputs).every((tree) => store.holds(tree)))
    .map(({ parts }) => parts.iteration!);
}

/** Returns where iterations read their models from, without the first. */
function sources(events: readonly RunEvent[]): string[] {
  return events.flatMap((e) =>
    e.type === "stage_progress" && e.message?.startsWith("model from") ? [e.message.slice(11)] : []
  );
}

Deno.test("a loop that publishes every third iteration writes those and its last, with the same bytes as one that writes all", async () => {
  using toy = new ToyProject();
  const all = await toy.run({ manifest: manifest(), set: ["loop.publish=1"], runDir: toy.file("all") });
  const some = await toy.run({ manifest: manifest() });
  assertEquals(stored(toy, "all"), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(stored(toy), [2, 5, 7]);
  const written = iterations(toy, "all");
  assertEquals(
    iterations(toy).map(({ key, outputs }) => ({ key, outputs })),
    written.map(({ key, outputs }) => ({ key, outputs })),
  );
  assertEquals(
    iterations(toy).map(({ unpublished }) => unpublished?.join() ?? ""),
    [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [2, 5, 7].includes(i) ? "" : "model,state"),
  );
  assertEquals(toy.outputs(some), { model: "8" });
  assertEquals(digestDirectory(some.outputs.model!), digestDirectory(all.outputs.model!));
});

Deno.test("the next iteration reads models from memory, written or not, and another process reads them from disk", async () => {
  using toy = new ToyProject();
  for (const publish of [1, 3]) {
    const { events } = await toy.run({
      manifest: manifest(),
      set: [`loop.publish=${publish}`],
      runDir: toy.file(`${publish}`),
    });
    assertEquals(sources(events), Array(7).fill("memory"));
  }
  const { events } = await toy.run({ manifest: manifest(), set: ["loop.count=3"], executor: "process" });
  assertEquals(sources(events), Array(2).fill("disk"));
});

Deno.test("with the process executor every iteration is written, with a warning", async () => {
  using toy = new ToyProject();
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  await toy.run({ manifest: manifest(), set: ["loop.count=2"], executor: "process", warn });
  assertEquals(warnings, [
    "loop.publish is 3, but the executor process cannot pass models in memory: every iteration is written",
  ]);
  assertEquals(stored(toy), [0, 1]);
});

Deno.test("keep counts the iterations that were written", async () => {
  using toy = new ToyProject();
  const keep = "{ states: 1, policies: 2, best_metric: null }";
  await toy.run({ manifest: manifest({ keep }), set: ["loop.count=11", "loop.grow.add=20"] });
  const store = new Store(join(toy.file("run"), "store"));
  const holding = (port: string) =>
    iterations(toy).filter(({ outputs }) => store.holds(outputs[port]!)).map(({ parts }) => parts.iteration);
  assertEquals([holding("model"), holding("state")], [[8, 10], [10]]);
});

Deno.test("a loop that ends early writes its last iteration", async () => {
  using toy = new ToyProject();
  const loop = "      until: { metric: grow.metrics.stopped, above: 0 }";
  await toy.run({ manifest: manifest({ loop }), set: ["loop.grow.limit=5"] });
  assertEquals(stored(toy), [2, 4]);
});

Deno.test("the best iterations are written: by the metric of keep, and by the metric of the loop", async () => {
  using toy = new ToyProject();
  // The reward is greatest in the fourth iteration, whose number is 4.
  const peak = ["loop.grow.peak=4"];
  await toy.run({
    manifest: manifest({ keep: "{ best_metric: reward }" }),
    set: peak,
    runDir: toy.file("kept"),
  });
  const store = new Store(toy.file("kept/store"));
  assertEquals(
    iterations(toy, "kept").filter(({ outputs }) => store.holds(outputs.model!)).map(({ parts }) =>
      parts.iteration
    ),
    [3, 5, 7],
  );
  const loop = "      best: { metric: grow.metrics.reward }";
  const result = await toy.run({
    manifest: manifest({ loop, keep: "{ best_metric: null }", outputs: ", best: loop.best" }),
    set: peak,
  });
  assertEquals(toy.outputs(result), { model: "8", best: "4" });
  assertEquals(
    ran(result.events),
    Array.from({ length: 8 }, (_, i) => `loop.grow[${i}]`),
    "nothing runs twice",
  );
});

Deno.test("a stage that reads files from disk gets them, within the loop and after it", async () => {
  using toy = new ToyProject();
  const inside = manifest().replace(
    "    next:",
    "      judge: { uses: judge-models, in: { models: { grow: grow.model } }, every: 4 }\n    next:",
  );
  await toy.run({ manifest: inside });
  const store = new Store(join(toy.file("run"), "store"));
  const models = iterations(toy).filter(({ outputs }) => store.holds(outputs.model!));
  assertEquals(models.map(({ parts }) => parts.iteration), [2, 3, 5, 7]);
  const gathered = manifest({
    more: "  all: { uses: join-text, in: { texts: loop.metrics, models: loop.grow.model } }",
  });
  await toy.run({ manifest: gathered, runDir: toy.file("gathered") });
  const every = new Store(toy.file("gathered/store"));
  assert(iterations(toy, "gathered").every(({ outputs }) => every.holds(outputs.model!)));
});

Deno.test("an interrupted run writes the iteration in memory, and resumes after it", async () => {
  using toy = new ToyProject();
  const stop = new AbortController();
  await assertRejects(
    () =>
      toy.run({
        manifest: manifest(),
        signal: stop.signal,
        listener: (e) => e.type === "stage_started" && e.iteration === 5 && stop.abort(),
      }),
    TryAgainError,
  );
  assertEquals(stored(toy), [2, 4]);
  const { events, outputs } = await toy.run({ manifest: manifest() });
  assertEquals(ran(events), ["loop.grow[5]", "loop.grow[6]", "loop.grow[7]"]);
  assertEquals(toy.outputs({ outputs }), { model: "8" });
});

Deno.test("a dry run names the iterations that must run again", async () => {
  using toy = new ToyProject();
  await toy.run({ manifest: manifest(), set: ["loop.count=5", "loop.publish=2"] });
  // As after a kill in the fifth iteration: it was never finished, and the last one written is the second.
  const store = new Store(join(toy.file("run"), "store"));
  const [, , third, fourth, fifth] = iterations(toy) as [
    ActionRecord,
    ActionRecord,
    ActionRecord,
    ActionRecord,
    ActionRecord,
  ];
  for (const record of [third, fourth, fifth]) store.prune(record, ["model", "state"], new Set());
  Deno.removeSync(join(store.dir, "actions", `${fifth.key}.json`));
  const found = await dryRun(await toy.blueprint({ manifest: manifest(), set: ["loop.count=5"] }), {
    stages: toyStages,
    code: toyCode,
    runDir: toy.file("run"),
    storeDir: store.dir,
  });
  assertEquals(found.filter((p) => p.runs).map(({ id, reason }) => `${id}: ${reason}`), [
    "loop.grow[2]: state was in memory only",
    "loop.grow[3]: state is no longer in the store",
    "loop.grow[4]: its outputs are not in the store",
  ]);
});

Deno.test("publish must be a whole number, and a loop without hand-over gives a warning", async () => {
  using toy = new ToyProject();
  const error = await assertRejects(() => toy.run({ manifest: manifest(), set: ["loop.publish=0"] }));
  assertEquals(
    (error as Error).message,
    'Invalid --set: "loop.publish=0": publish must be a whole number ≥ 1, got 0',
  );
  const counting = manifest().replace("grow-model", "count-iterations");
  assertEquals((await toy.blueprint({ manifest: counting })).warnings, [
    '"publish" of loop has no effect: no stage of the loop passes models in memory',
  ]);
});

Deno.test("kill -9 at random moments of a loop that publishes rarely, then the same command, gives the same bytes", async () => {
  using toy = new ToyProject();
  const text = manifest({ keep: "{ states: 1, policies: 1, best_metric: null }" }).replace(
    "    stages:",
    "    stages:",
  );
  const start = (run: string, manifest: string) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--cached-only",
        `--allow-read=${projectRoot},${toy.path},/proc/cpuinfo`,
        `--allow-write=${toy.file(run)}`,
        "--allow-env",
        "--allow-sys=systemMemoryInfo,statfs",
        "--allow-ffi",
        join(projectRoot, "tests/pipeline/toy_program.ts"),
        ...[toy.path, toy.file(run), "inline", "4", manifest],
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  const finish = async (run: string, manifest: string) => {
    const { code, stdout, stderr } = await start(run, manifest).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const { keys } = JSON.parse(new TextDecoder().decode(stdout)) as { keys: string[] };
    const outputs = iterations(toy, run).map(({ outputs }) => outputs);
    return { keys, outputs, copied: digestDirectory(join(toy.file(run), "outputs")) };
  };
  const undisturbed = await finish("undisturbed", text.replace("publish: 3", "publish: 1"));
  const known = () => {
    try {
      return [...Deno.readDirSync(toy.file("killed/store/actions"))].length;
    } catch {
      return 0; // the run has not begun
    }
  };
  const random = randomNumbers(3), counts: number[] = [];
  for (const reached of [1, 2, 4, 5, 7]) {
    const child = start("killed", text);
    let ended = false;
    const end = child.output().then(() => ended = true);
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    while (!ended && known() < reached) await wait(2);
    await wait(20 * random());
    kill(child, "SIGKILL");
    await end;
    counts.push(iterations(toy, "killed").length);
  }
  assert(
    counts.some((count) => count < 8 && count % 3 !== 0),
    "some kill happens while iterations are in memory only",
  );
  assertEquals(await finish("killed", text), undisturbed);
});
