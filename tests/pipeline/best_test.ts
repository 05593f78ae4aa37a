/**
 * The best iteration of a loop, and stages that run only in some iterations: which iterations, which values, what runs
 * again, and what the store keeps. In these loops iteration i carries the number 3 + 2 i.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { dryRun } from "@/lib/pipeline/engine/dry_run.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { ran, toyCode, type ToyOptions, ToyProject, toyStages } from "./toy.ts";

/** A loop with an evaluation after every third iteration and after the last; nearer to `target` is better. */
function judged(best: string, options: { readonly until?: string; readonly keep?: string } = {}): string {
  return `
inputs: { base: base, first: first.txt }
keep: ${options.keep ?? "{ policies: 1, states: 1, best_metric: null }"}
stages:
  loop:
    iterate:
      count: 8
      carry: { model: inputs.base, state: null }
      ${options.until === undefined ? "" : `until: ${options.until}`}
      best: ${best}
    stages:
      count: { uses: count-iterations, in: { model: carry.model, state: carry.state }, with: { add: 2, limit: 11 } }
      judge: { uses: judge-models, in: { models: { policy: count.model } }, with: { target: 8 }, every: 3 }
    next: { model: count.model, state: count.state }
  after: { uses: join-text, in: { texts: inputs.first, named: { best: loop.best.model } } }
outputs: { gives: loop.best, last: loop.model, after: after.text }
`;
}

const BY_SCORE = "{ metric: judge.evals.score }";

/** Runs a manifest; returns the best iteration and its metric, the evaluated iterations, and the outputs. */
async function run(toy: ToyProject, manifest: string, options: ToyOptions = {}) {
  const { events, nodes, outputs, best: [best] } = await toy.run({ ...options, manifest });
  const judged = nodes.filter((node) => node.stage === "loop.judge").map((node) => node.iteration!);
  return {
    events,
    nodes,
    best: best && [best.iteration, best.value],
    judged: judged.sort((a, b) => a - b),
    ...toy.outputs({ outputs }) as {
      readonly gives: string;
      readonly last: string;
      readonly after: string;
      readonly state?: string;
    },
  };
}

/** Returns the iterations of which a run has the model, and those of which it has the state. */
function kept({ nodes }: Awaited<ReturnType<typeof run>>) {
  const iterations = nodes.filter((node) => node.stage === "loop.count");
  return {
    models: iterations.filter((node) => node.outputs.model).map((node) => node.iteration),
    states: iterations.filter((node) => node.outputs.state).map((node) => node.iteration),
  };
}

Deno.test("a stage with every: 3 runs after iterations 3 and 6 and after the last, and the best of them is an output", async () => {
  using toy = new ToyProject();
  const result = await run(toy, judged(BY_SCORE));
  assertEquals([result.judged, result.best, result.gives, result.last], [[2, 5, 7], [2, -1], "7", "17"]);
  const event = result.events.find((e) => e.type === "loop_best")!;
  assertEquals({ ...event, time: 0 }, {
    type: "loop_best",
    time: 0,
    block: "loop",
    iteration: 2,
    metric: "judge.score of policy, greedy",
    value: -1,
  });
  assert(result.after.endsWith("|best=7"), "a later stage reads it");
  const planned = result.events.find((e) => e.type === "run_started")!.nodes;
  assertEquals(planned.filter((n) => n.stage === "loop.judge").map((n) => n.iteration), [2, 5, 7]);
});

Deno.test("the best iteration has the greatest or least metric, of evals@1 in either mode or metrics@1; of equal ones the earlier", async () => {
  using toy = new ToyProject();
  const runDir = toy.file("run");
  const found: Record<string, unknown> = {};
  for (
    const [best, ...set] of [
      // 9 and 11 are as near to 10.
      [BY_SCORE, "loop.judge.target=10", "loop.judge.every=1"],
      ["{ metric: judge.evals.score, goal: min }", "loop.judge.every=1"],
      ["{ metric: judge.evals.distance, goal: min, mode: sampled }", "loop.judge.target=225"],
      ["{ metric: count.metrics.value }"],
      ["{ metric: count.metrics.value, goal: min }"],
      // What an iteration started from: the base in the first.
      ["{ metric: count.metrics.value, goal: min, take: carry }"],
      ["{ metric: judge.evals.score, take: carry }"],
    ] as const
  ) {
    const { best: iteration, gives } = await run(toy, judged(best), { set, runDir });
    found[[best, ...set].join(" ")] = [iteration![0], gives];
  }
  assertEquals(Object.values(found), [[3, "9"], [7, "17"], [5, "13"], [7, "17"], [0, "3"], [0, "1"], [
    2,
    "5",
  ]]);
});

Deno.test("a loop that ends early is evaluated after its last iteration, and its best is among its own iterations", async () => {
  using toy = new ToyProject();
  const until = "{ metric: count.metrics.stopped, above: 0 }";
  const result = await run(toy, judged(BY_SCORE, { until }), { set: ["loop.judge.target=100"] });
  assertEquals([result.judged, result.best, result.gives, result.last], [[2, 4], [4, -89], "11", "11"]);
});

Deno.test("a loop ends by a metric of evals@1 in an iteration that has one", async () => {
  using toy = new ToyProject();
  const until = "{ metric: judge.evals.distance, below: 6 }";
  const result = await run(toy, judged(BY_SCORE, { until }), { set: ["loop.judge.target=18"] });
  assertEquals([result.judged, result.best, result.last], [[2, 5], [5, -5], "13"]);
  const ended = result.events.find((e) => e.type === "loop_ended");
  assertEquals(ended && { ...ended, time: 0 }, {
    type: "loop_ended",
    time: 0,
    block: "loop",
    iteration: 5,
    reason: "judge.distance of policy, greedy is 5, below 6",
  });
});

Deno.test("the best iteration keeps its model, more iterations run none again, and rerunning runs nothing", async () => {
  for (const executor of ["inline", "process"] as const) {
    using toy = new ToyProject();
    const manifest = judged(BY_SCORE);
    const few = await run(toy, manifest, { set: ["loop.count=4"], executor });
    assertEquals([few.judged, few.gives, kept(few)], [[2, 3], "7", { models: [2, 3], states: [3] }]);
    const more = await run(toy, manifest, { executor });
    const added = [4, 5, 6, 7].map((i) => `loop.count[${i}]`);
    // What reads the best iteration does not run: its bytes are the same.
    assertEquals(ran(more.events), [...added, "loop.judge[5]", "loop.judge[7]"]);
    assertEquals([more.judged, more.gives, kept(more)], [[2, 5, 7], "7", { models: [2, 7], states: [7] }]);
    assertEquals(ran((await run(toy, manifest, { executor })).events), []);
    // Other targets change judges and not what they judge, but for the model that was dropped and is now the best.
    const other = await run(toy, manifest, { set: ["loop.judge.target=17"], executor });
    assertEquals([other.best, ran(other.events).includes("loop.count[7]")], [[7, 0], false]);
    const again = await run(toy, manifest, { set: ["loop.judge.target=13"], executor });
    assertEquals([again.best, again.gives], [[5, 0], "13"]);
  }
});

Deno.test("a state that is read from the best iteration is kept, and so is what a best iteration started from", async () => {
  using toy = new ToyProject();
  const withState = judged(BY_SCORE).replace("outputs: {", "outputs: { state: loop.best.state,");
  const result = await run(toy, withState);
  assertEquals(kept(result), { models: [2, 7], states: [2, 7] });
  assertEquals(result.state, "3 iterations");
  const before = await run(toy, judged("{ metric: judge.evals.score, take: carry }"), {
    runDir: toy.file("carry"),
  });
  assertEquals([before.gives, kept(before)], ["5", { models: [1, 7], states: [7] }]);
});

Deno.test("a metric that is not written ends the run in its first iteration, and the message lists the existing ones", async () => {
  using toy = new ToyProject();
  const failing = async (best: string, ...set: string[]) => {
    const events: RunEvent[] = [];
    const error = await assertRejects(
      () =>
        toy.run({
          manifest: judged(best),
          set,
          listener: (e) => events.push(e),
          runDir: toy.file(crypto.randomUUID()),
        }),
      DataError,
    ) as DataError;
    return [error.message, ran(events).filter((id) => id.startsWith("loop.judge"))];
  };
  const loop = 'Loop "loop" requires that';
  assertEquals(await failing("{ metric: judge.evals.scor }"), [
    `${loop} loop.judge writes metric "scor", got distance, score`,
    ["loop.judge[2]"],
  ]);
  assertEquals(await failing("{ metric: judge.evals.score, mode: sampled }", "loop.judge.modes=[greedy]"), [
    `${loop} loop.judge evaluates in mode sampled, got greedy`,
    ["loop.judge[2]"],
  ]);
  assertEquals(
    (await failing("{ metric: count.metrics.reward }"))[0],
    `${loop} loop.count writes metric "reward", got stopped, value`,
  );
});

Deno.test("a dry run says what a best iteration waits for, until it is known", async () => {
  using toy = new ToyProject();
  const look = async (set: readonly string[] = []) => {
    const blueprint = await toy.blueprint({ manifest: judged(BY_SCORE), set });
    const runDir = toy.file("run");
    const found = await dryRun(blueprint, {
      stages: toyStages,
      code: toyCode,
      runDir,
      storeDir: join(runDir, "store"),
    });
    return Object.fromEntries(found.filter((p) => p.runs).map((p) => [p.id, p.reason]));
  };
  const before = await look();
  assertEquals(before.after, "depends on loop.judge[2], loop.judge[5], loop.judge[7]");
  assertEquals(
    Object.keys(before).filter((id) => id.startsWith("loop.judge")),
    [2, 5, 7].map((i) => `loop.judge[${i}]`),
  );
  await run(toy, judged(BY_SCORE));
  assertEquals(await look(), {});
  const [judges, after] = [
    { "loop.judge[1]": "not run before", "loop.judge[3]": "not run before" },
    "loop.judge[1]",
  ];
  const other = await look(["loop.judge.every=2"]);
  // The models that these evaluate were removed, and so were their inputs.
  const models = {
    ...Object.fromEntries([0, 1, 2].map((i) => [`loop.count[${i}]`, "state is no longer in the store"])),
    "loop.count[3]": "model is no longer in the store",
  };
  assertEquals(other, { ...judges, ...models, after: `depends on ${after}, loop.judge[3]` });
});

Deno.test("--set changes how often a stage of a loop runs, and must be a whole number", async () => {
  using toy = new ToyProject();
  const often = await run(toy, judged(BY_SCORE), { set: ["loop.judge.every=100"] });
  assertEquals(often.judged, [7]);
  const error = await assertRejects(
    () => run(toy, judged(BY_SCORE), { set: ["loop.judge.every=0"] }),
    UsageError,
  ) as UsageError;
  assertEquals(
    error.message,
    'Invalid --set: "loop.judge.every=0": every must be a whole number ≥ 1, got 0',
  );
});

Deno.test("an evaluation whose bytes are missing runs again when the best iteration is needed", async () => {
  using toy = new ToyProject();
  const manifest = judged(BY_SCORE, { keep: "all" });
  const first = await run(toy, manifest);
  const digest = first.events.flatMap((e) =>
    e.type === "stage_finished" && e.stage === "loop.judge" && e.iteration === 5 ? [e.outputs.evals!] : []
  )[0]!;
  Deno.removeSync(join(toy.file("run/store/blobs"), digest.slice(0, 2), digest));
  const again = await run(toy, manifest);
  assertEquals([ran(again.events), again.gives], [["loop.judge[5]"], "7"]);
});

Deno.test("an interrupted loop with a best iteration, resumed, gives the same best", async () => {
  using toy = new ToyProject();
  const stop = new AbortController();
  const manifest = judged(BY_SCORE);
  const listener = (e: RunEvent) => {
    if (e.type === "stage_started" && e.stage === "loop.judge" && e.iteration === 5) stop.abort();
  };
  await assertRejects(() => toy.run({ manifest, signal: stop.signal, listener }), TryAgainError);
  const rest = await run(toy, manifest);
  assertEquals([rest.best, rest.gives, kept(rest)], [[2, -1], "7", { models: [2, 7], states: [7] }]);
  assertEquals(ran(rest.events).includes("loop.count[5]"), false);
});
