/** Tests the time left of a run. @module */
import { assertEquals } from "@std/assert";
import type { NodeName, RunEvent } from "@/lib/data/contracts/events.ts";
import { createDisplay } from "./display.ts";
import { estimateText, rangeText, TimeLeft } from "./time_left.ts";

const SFT: NodeName = { stage: "sft", uses: "sft", role: "train" };
const update = (iteration: number): NodeName => ({ stage: "ppo.update", uses: "ppo-update", iteration });
const NODES = [SFT, ...[0, 1, 2, 3].map(update)];

const START: RunEvent = {
  type: "run_started",
  time: 0,
  manifest: "m.yaml",
  run_dir: "r",
  seed: 0,
  threads: 2,
  executor: "inline",
  nodes: NODES,
};
const ESTIMATE: RunEvent & { readonly type: "time_estimated" } = {
  type: "time_estimated",
  time: 0,
  stages: [
    { stage: "sft", runs: 1, seconds_least: 10, seconds_most: 12 },
    { stage: "ppo.update", runs: 4, seconds_least: 20, seconds_most: 40, may_end_early: true },
  ],
  unknown: ["ppo.score"],
  seconds: 2.5,
};

function left(): { readonly at: TimeLeft; readonly accept: (...events: RunEvent[]) => void } {
  const at = new TimeLeft();
  const accept = (...events: RunEvent[]) => events.forEach((event) => at.accept(event));
  accept(START);
  return { at, accept };
}

const started = (node: NodeName, time: number): RunEvent => ({
  type: "stage_started",
  time,
  ...node,
  key: "k",
  reason: "",
});
const finished = (node: NodeName, time: number, seconds: number): RunEvent => ({
  type: "stage_finished",
  time,
  ...node,
  key: "k",
  seconds,
  outputs: {},
});

Deno.test("the time left shrinks with the time of running stages, and measured runs replace the estimate", () => {
  const { at, accept } = left();
  assertEquals(at.at(0), undefined, "not estimated yet");
  accept(ESTIMATE);
  assertEquals(at.at(0), [90, 172]);
  accept(started(SFT, 0));
  assertEquals(at.at(4000), [86, 168]);
  assertEquals(at.at(99_000), [80, 160], "a stage that takes longer has no negative time left");
  accept(finished(SFT, 15_000, 15), started(update(0), 15_000));
  assertEquals(at.at(15_000), [80, 160]);
  accept(finished(update(0), 45_000, 30));
  assertEquals(at.at(45_000), [90, 90], "three of the measured 30 s");
});

Deno.test("a loop that ends early leaves nothing of it", () => {
  const { at, accept } = left();
  accept(ESTIMATE, finished(SFT, 1, 1), finished(update(0), 2, 1), {
    type: "loop_ended",
    time: 3,
    block: "ppo",
    iteration: 0,
    reason: "KL",
  });
  assertEquals(at.at(3), [0, 0]);
});

Deno.test("stages that were cached when the time was estimated do not count", () => {
  const { at, accept } = left();
  const cached = (node: NodeName): RunEvent => ({
    type: "stage_cached",
    time: 0,
    ...node,
    key: "k",
    seconds: 9,
  });
  accept(
    { ...ESTIMATE, stages: [{ ...ESTIMATE.stages[1]!, runs: 2 }] },
    cached(SFT),
    cached(update(0)),
    cached(update(1)),
  );
  assertEquals(at.at(0), [40, 80]);
  accept(cached(update(2)));
  assertEquals(at.at(0), [20, 40], "another run has made it meanwhile");
});

Deno.test("of a plan that is too long to list, all estimated runs are left", () => {
  const at = new TimeLeft();
  at.accept({ ...START, nodes: NODES.slice(0, 2), more: { nodes: 5, iterations: { ppo: 4 } } });
  at.accept(ESTIMATE);
  at.accept(finished(update(0), 2, 30));
  assertEquals(at.at(2), [100, 102]);
});

Deno.test("the estimate is one line, and a log repeats what is left every half minute", () => {
  assertEquals(
    estimateText(ESTIMATE),
    "estimated time: 1 min 30 s to 2 min 52 s if no loop ends early, without ppo.score " +
      "(sft 11 s, ppo.update ×4 1 min 20 s to 2 min 40 s); from a few steps with the base’s weights, 2.5 s",
  );
  assertEquals(rangeText([10, 11]), "about 11 s");
  let text = "";
  const display = createDisplay({ json: false, terminal: false, write: (piece) => text += piece });
  const events = [START, ESTIMATE, started(SFT, 0), finished(SFT, 15_000, 15), started(update(0), 15_000)];
  for (const event of [...events, finished(update(0), 45_000, 30)]) display.event(event);
  display.end();
  assertEquals(text.split("\n").filter((line) => line.includes("whole run")), [
    "  whole run: about 1 min 30 s left",
  ]);
});
