/** Tests the estimate of a run's time: what it says, that it records nothing, and that the run does not need it. @module */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { countingRows } from "@/tests/support/counting_rows.ts";
import type { RunEvent, StageTime } from "@/lib/data/contracts/events.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { stages } from "@/lib/app/registry.ts";
import { timeSteps } from "@/lib/app/timed_steps.ts";
import { openCodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { runPipeline } from "@/lib/pipeline/engine/run.ts";
import { inlineExecutor } from "@/lib/pipeline/engine/task.ts";
import type { TimeSteps } from "@/lib/pipeline/engine/time_estimate.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { firstRows, SmallQuickstart } from "./small_quickstart.ts";

const isEstimate = (event: RunEvent) => event.type === "time_estimated";

Deno.test("the quickstart's time is estimated after tokenizing, and nothing of it is recorded", async () => {
  using small = new SmallQuickstart();
  const events = await small.run("estimated"), plain = await small.run("plain", "--no-estimate");
  assertEquals([events.filter(isEstimate).length, plain.filter(isEstimate).length], [1, 0]);
  const at = events.findIndex(isEstimate), started = events.findIndex(({ type }) => type === "stage_started");
  const trained = events.findIndex((e) => e.type === "stage_started" && e.stage === "sft");
  assert(started < at && at < trained, "after tokenize has started, before sft");
  const estimate = events[at]!;
  assert(estimate.type === "time_estimated");
  assertEquals(estimate.unknown, []);
  assertEquals(
    estimate.stages.map(({ stage, runs, may_end_early }) => [stage, runs, may_end_early ?? false]),
    [
      ["sft", 1, false],
      ["members.sft", 2, false],
      ["reward", 1, false],
      ["ppo.rollout", 3, true],
      ["ppo.score", 3, true],
      ["ppo.update", 3, true],
      ["continued", 1, false],
      ["eval", 1, false],
    ],
  );
  for (const { stage, seconds_least: least, seconds_most: most } of estimate.stages) {
    assert(least > 0 && most >= least && most < 600, `${stage}: ${least} to ${most} s`);
  }
  assertEquals(small.bytes("estimated"), small.bytes("plain"));
  const log = Deno.readTextFileSync(small.file("estimated/run.jsonl"));
  assertEquals(log.includes("time_estimated"), false);

  const again = await small.run("estimated");
  assertEquals(again.some(isEstimate), false, "nothing is left to estimate");
  const dry = await finish(small.start("dry", "--dry-run"));
  assertEquals([dry.code, dry.out.includes("estimated time")], [0, false]);
});

/** Runs tokenize and SFT in this process on 20 demonstrations. */
async function runSft(directory: TemporaryDirectory, given: TimeSteps) {
  const demonstrations = directory.write("demos.jsonl", firstRows("fixtures/quickstart/demos.jsonl", 20));
  const manifest = directory.write(
    "sft.yaml",
    `description: SFT
seed: 0
inputs: { base: null, demonstrations: null }
stages:
  tokenize: { uses: tokenize, in: { demonstrations: inputs.demonstrations, model: inputs.base } }
  sft:
    uses: sft
    in: { tokens: tokenize.train, model: inputs.base }
    with: { epochs: 2, batch_size: 5, lr: 1e-3 }
outputs: { policy: sft.policy }
`,
  );
  const inputs = { base: join(projectRoot, "fixtures/stories260k"), demonstrations };
  const blueprint = await makeBlueprint(await readManifest(manifest), stages, { inputs });
  const events: RunEvent[] = [], warnings: string[] = [];
  await runPipeline(blueprint, {
    stages,
    code: openCodeDigests(projectRoot),
    executor: inlineExecutor(stages),
    runDir: directory.file("run"),
    storeDir: directory.file("store"),
    threads: navigator.hardwareConcurrency,
    timeSteps: given,
    listener: (event) => events.push(event),
    warn: (message) => warnings.push(message),
  });
  return { events, warnings };
}

Deno.test("the work of a training is the number of tokens that it reports", async () => {
  using directory = new TemporaryDirectory();
  // One second per trained token: the estimate in seconds is the work in tokens.
  const perToken: TimeSteps = () => Promise.resolve({ trained: [1, 2], scored: [0, 0], sampled: [0, 0] });
  const { events, warnings } = await runSft(directory, perToken);
  const [estimated] = events.flatMap((e): StageTime[] => e.type === "time_estimated" ? [...e.stages] : []);
  const finished = events.find((e) => e.type === "stage_finished" && e.stage === "sft");
  assert(finished?.type === "stage_finished");
  assertAlmostEquals(estimated!.seconds_least, finished.tokens!, 1e-6);
  assertAlmostEquals(estimated!.seconds_most, 2 * finished.tokens!, 1e-6);
  assertEquals(warnings, []);
});

Deno.test("an estimate that fails is one warning, and the run finishes", async () => {
  using directory = new TemporaryDirectory();
  const { events, warnings } = await runSft(directory, () => Promise.reject(new Error("out of memory")));
  assertEquals(warnings, ["the run's time is not estimated: out of memory"]);
  assertEquals(events.at(-1)?.type, "run_finished");
});

Deno.test("timeSteps() returns seconds per token of the three kinds of steps, and stops when the run is interrupted", async () => {
  using directory = new TemporaryDirectory();
  const { events } = await runSft(directory, timeSteps);
  const estimate = events.find(isEstimate);
  assert(estimate?.type === "time_estimated");
  const [{ seconds_least: least, seconds_most: most }] = estimate.stages as [StageTime];
  assert(least > 0 && most >= least && Number.isFinite(most), `${least} to ${most}`);
  const tokens = directory.file("tokens.arrow"), model = "fixtures/stories260k";
  await writeTokens(tokens, { rows: countingRows(4), tokenizerDigest: tokenizerDigest(model) });
  const threads = navigator.hardwareConcurrency, signal = AbortSignal.abort();
  await assertRejects(
    () => timeSteps({ model, tokens, prompts: undefined, threads, signal }),
    DOMException,
    "aborted",
  );
});

Deno.test("--help names --no-estimate", async () => {
  const { out } = await finish(launch(["pipeline", "--help"]));
  assertStringIncludes(out, "--no-estimate");
});
