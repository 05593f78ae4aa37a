/**
 * The driver of experiments over real plans and invented runs: arguments of runs, files, failures, stops and prepared
 * runs.
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { projectRoot, stages } from "@/lib/app/registry.ts";
import { readCurves } from "@/lib/data/contracts/curves.ts";
import { readResults } from "@/lib/data/contracts/results.ts";
import { ExperimentDisplay } from "@/lib/pipeline/experiments/experiment_display.ts";
import { parseExperiment } from "@/lib/pipeline/experiments/experiment_reader.ts";
import type { PlanContext } from "@/lib/pipeline/experiments/plan_runs.ts";
import { resolveRuns } from "@/lib/pipeline/experiments/resolve_runs.ts";
import {
  type ExperimentEnd,
  type ExperimentOptions,
  outlook,
  type RunEnd,
  runExperiment,
} from "@/lib/pipeline/experiments/run_experiment.ts";
import { openCodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { exampleReport } from "@/tests/report/example_report.ts";
import { TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const TWO_ARMS = `
manifest: pipelines/quickstart.yaml
seeds: 2
control: sft
arms:
  sft: { model: sft }
  srppo: {}
  gentle: { set: [ppo.update.beta=2] }
`;

const code = openCodeDigests(projectRoot);

/** An experiment in a directory of its own with invented runs. */
class Made extends TemporaryDirectory {
  readonly started: string[][] = [];
  readonly lines: string[] = [];
  readonly stop = new AbortController();

  async run(
    text: string,
    make: (args: readonly string[]) => RunEnd | Promise<RunEnd>,
    options: Partial<ExperimentOptions> = {},
  ): Promise<ExperimentEnd> {
    const source = parseExperiment(text, "made.yaml");
    const context = this.context();
    const runs = await resolveRuns(source, { set: [] }, {
      root: projectRoot,
      read: async (path) => (await context.read(path)).manifest,
    });
    const write = (line: string) => this.lines.push(line);
    return await runExperiment(source, runs, {
      context,
      jobs: 1,
      threads: 4,
      signal: this.stop.signal,
      display: new ExperimentDisplay({ json: false, terminal: false, write, now: () => 0 }),
      warn: (line) => this.lines.push(line),
      start: async (args) => {
        this.started.push([...args]);
        return await make(args);
      },
      ...options,
    });
  }

  context(): PlanContext {
    return {
      root: projectRoot,
      outDir: this.file("out"),
      storeDir: this.file("store"),
      stages,
      code,
      read: (path) => readManifest(join(projectRoot, path), path),
      hub: {},
    };
  }
}

/** Writes the report of a finished run with these outputs. */
function leaveReport(args: readonly string[], outputs: Readonly<Record<string, string>> = {}): RunEnd {
  const dir = args[args.indexOf("--run-dir") + 1]!;
  const seed = Number(args[args.indexOf("--seed") + 1]);
  const report = exampleReport();
  const comparison = report.comparison.map((row) =>
    row.model === "srppo" ? { ...row, mean: row.mean + 0.01 * seed } : row
  );
  Deno.mkdirSync(dir, { recursive: true });
  Deno.writeTextFileSync(join(dir, "report.json"), JSON.stringify({ ...report, seed, comparison, outputs }));
  return { code: 0, message: "" };
}

Deno.test("every run gets its folder, its seed's store, its share of the threads, and its changes", async () => {
  using made = new Made();
  const { code } = await made.run(TWO_ARMS, (args) => leaveReport(args), { jobs: 2, threads: 5 });
  assertEquals(code, 0);
  assertEquals(made.started.length, 4);
  const short = (text: string) => text.replace(made.path, "");
  assertEquals(made.started[0]!.map(short), [
    "pipelines/quickstart.yaml",
    ...["--run-dir", "/out/runs/srppo/seed-0"],
    ...["--store", "/store/seed-0"],
    ...["--seed", "0"],
    ...["--threads", "2"],
  ]);
  const gentle = made.started.find((args) => args.join().includes("gentle/seed-1"))!;
  assertEquals(gentle.slice(-2), ["--set", "ppo.update.beta=2"]);
});

Deno.test("results.arrow and curves.arrow hold every arm, seed, mode and metric, and read back as they were", async () => {
  using made = new Made();
  const { report } = await made.run(TWO_ARMS, (args) => leaveReport(args));
  const results = readResults(made.file("out/results.arrow"));
  assertEquals(results.length, 3 * 2 * exampleReport().comparison.length / 4);
  const [row] = results.filter((r) => r.arm === "srppo" && r.seed === 1 && r.metric === "score");
  assertEquals(row, {
    experiment: "made",
    arm: "srppo",
    point: "{}",
    seed: 1,
    model: "srppo",
    mode: "greedy",
    metric: "score",
    mean: 0.811 + 0.01,
    stderr: 0.017,
    n: 256,
  });
  const curves = readCurves(made.file("out/curves.arrow"));
  assertEquals([...new Set(curves.map(({ arm }) => arm))], ["srppo", "gentle"]);
  assertEquals(curves.filter((r) => r.arm === "gentle" && r.metric === "reward").length, 2 * 20);
  assertEquals(
    JSON.parse(Deno.readTextFileSync(made.file("out/results.json"))),
    JSON.parse(JSON.stringify(report)),
  );
  const difference = report.differences.find((d) =>
    d.arm === "srppo" && d.metric === "score" && d.mode === "greedy"
  )!;
  assertEquals([difference.n, difference.above, Number(difference.mean.toFixed(9))], [2, 2, 0.1]);
});

Deno.test("after a run that fails the others still run, and its exit code is the experiment's", async () => {
  using made = new Made();
  const { code, report } = await made.run(
    TWO_ARMS,
    (args) =>
      args.join().includes("srppo/seed-1") ? { code: 65, message: "Cannot read x" } : leaveReport(args),
  );
  assertEquals([code, made.started.length], [65, 4]);
  assertEquals(report.runs.map(({ name, done }) => [name, done]), [
    ["srppo/seed-0", true],
    ["srppo/seed-1", false],
    ["gentle/seed-0", true],
    ["gentle/seed-1", true],
  ]);
  assertEquals(made.lines, [
    "made: 4 runs, 1 at a time\n",
    "✓ srppo/seed-0  0.0 s  1/4\n",
    "✗ srppo/seed-1  failed: Cannot read x  1/4\n",
    "✓ gentle/seed-0  0.0 s  2/4\n",
    "✓ gentle/seed-1  0.0 s  3/4\n",
  ]);
  const paired = report.differences.find((d) => d.arm === "gentle" && d.metric === "score")!;
  assertEquals(paired.n, 1, "SFT of seed 1 is a model of the run that failed");
});

Deno.test("a run with exit code 75 ends the experiment with the runs that are done", async () => {
  using made = new Made();
  const error = await assertRejects(
    () =>
      made.run(
        TWO_ARMS,
        (args) =>
          args.join().includes("seed-1") ? { code: 75, message: "the disk is full" } : leaveReport(args),
      ),
    TryAgainError,
  );
  assertEquals(
    error.message,
    "Interrupted (srppo/seed-1: the disk is full): 3 of 4 runs are not done. Run the same command to resume",
  );
  assertEquals(
    new Set(readResults(made.file("out/results.arrow")).map(({ arm }) => arm)),
    new Set(["sft", "srppo"]),
  );
});

Deno.test("a stop lets running runs end and starts no others", async () => {
  using made = new Made();
  const error = await assertRejects(
    () =>
      made.run(TWO_ARMS, () => {
        made.stop.abort();
        return { code: 143, message: "" };
      }),
    TryAgainError,
  );
  assertEquals(error.message, "Interrupted: 4 of 4 runs are not done. Run the same command to resume");
  assertEquals(made.started.length, 1);
});

const PREPARED = `
manifest: pipelines/quickstart.yaml
seeds: 1
prepare: { more: { manifest: pipelines/more_demonstrations.yaml, seed: 4 } }
inputs: { rollouts: prepare.more.rollouts }
set: [tokenize.checker=words]
arms: { srppo: {} }
`;

Deno.test("prepared runs come first, and their outputs are the inputs of the others", async () => {
  using made = new Made();
  await made.run(PREPARED, (args) => {
    if (!args[0]!.includes("more")) return leaveReport(args);
    Deno.mkdirSync(made.file("out/prepare/more/outputs"), { recursive: true });
    made.write("out/prepare/more/outputs/rollouts.arrow", "x");
    return leaveReport(args, { rollouts: "outputs/rollouts.arrow" });
  });
  assertEquals(made.started.map((args) => [args[0], args[args.indexOf("--seed") + 1]]), [
    ["pipelines/more_demonstrations.yaml", "4"],
    ["pipelines/quickstart.yaml", "0"],
  ]);
  assertEquals(made.started[1]!.slice(-2), [
    "--input",
    `rollouts=${made.file("out/prepare/more/outputs/rollouts.arrow")}`,
  ]);
});

Deno.test("where a prepared run fails, nothing that waits for it starts", async () => {
  using made = new Made();
  const { code } = await made.run(PREPARED, () => ({ code: 70, message: "no" }));
  assertEquals([code, made.started.length], [70, 1]);
});

Deno.test("outlook() returns which runs wait and how many stages would run, and starts nothing", async () => {
  using made = new Made();
  const source = parseExperiment(PREPARED, "made.yaml");
  const context = made.context();
  const read = async (path: string) => (await context.read(path)).manifest;
  const runs = await resolveRuns(source, { set: [] }, { root: projectRoot, read });
  const found = await outlook(runs, context);
  assertEquals(found.map(({ run, isDone, toRun, stages }) => [run.name, isDone, toRun, stages]), [
    ["prepare/more", false, 3, 3],
    ["srppo/seed-0", false, undefined, undefined],
  ]);
  assertEquals([...Deno.readDirSync(made.path)], []);
});

Deno.test("models and outputs that no manifest has are refused before anything starts", async () => {
  using made = new Made();
  const text = PREPARED.replace("more.rollouts", "more.responses").replace(
    "srppo: {}",
    "srppo: { model: srpo }",
  );
  const error = await assertRejects(() => made.run(text, (args) => leaveReport(args)), UsageError);
  assertEquals(
    error.message,
    "Unknown models or outputs in the experiment: prepare.more.responses: unknown output, known are " +
      'rollouts, demonstrations; arm "srppo": pipelines/quickstart.yaml evaluates no model "srpo", did you mean "srppo"?',
  );
  assertEquals(made.started, []);
});

Deno.test("one experiment at a time uses a directory", async () => {
  using made = new Made();
  const error = await assertRejects(
    () =>
      made.run(TWO_ARMS, async (args) => {
        const inner = await assertRejects(() => made.run(TWO_ARMS, () => leaveReport(args)), TryAgainError);
        made.stop.abort();
        return { code: 75, message: inner.message };
      }),
    TryAgainError,
  );
  assertEquals(error.message, "Interrupted: 4 of 4 runs are not done. Run the same command to resume");
  assertEquals(
    made.lines.filter((line) => line.startsWith("–")),
    ["– srppo/seed-0  interrupted  0/4\n"],
  );
});
