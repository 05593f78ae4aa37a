/**
 * `deno task experiment` as a user calls it, with small real runs: side by side over one store, interrupted, resumed, and
 * repeated.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { launcherFlags } from "@/lib/app/pipeline_process.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { readResults } from "@/lib/data/contracts/results.ts";
import type { ExperimentEvent } from "@/lib/pipeline/experiments/experiment_display.ts";
import type { ExperimentReport } from "@/lib/pipeline/experiments/experiment_report.ts";
import { commandOf, finish, launch } from "@/tests/support/launch.ts";
import { firstRows } from "@/tests/e2e/small_quickstart.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

/** Two recipes that share SFT and the reward's member, and differ in PPO. */
const SMALL = (data: string) => `
manifest: ${projectRoot}/pipelines/quickstart.yaml
seeds: 2
control: sft
inputs:
  demonstrations: ${data}/demos.jsonl
  prompts: ${data}/prompts.jsonl
  eval_prompts: ${data}/eval.jsonl
set:
  - sft.max_updates=4
  - members.count=1
  - members.sft.max_updates=2
  - reward.max_new_tokens=8
  - reward.calibration_prompts=4
  - ppo.count=1
  - ppo.rollout.prompts_per_iteration=8
  - ppo.rollout.max_new_tokens=8
  - ppo.update.epochs=1
  - ppo.update.critic_warmup_iterations=0
  - eval.max_new_tokens=8
  - eval.modes=[greedy]
arms:
  sft: { model: sft }
  srppo: {}
  gentle: { set: [ppo.update.beta=2] }
`;

function smallExperiment(): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  const rows: Readonly<Record<string, number>> = { "demos.jsonl": 16, "prompts.jsonl": 8, "eval.jsonl": 4 };
  for (const [name, count] of Object.entries(rows)) {
    directory.write(name, firstRows(`fixtures/quickstart/${name}`, count));
  }
  directory.write("small.yaml", SMALL(directory.path));
  return directory;
}

function eventsIn(text: string): ExperimentEvent[] {
  return text.trim().split("\n").map((line) => JSON.parse(line) as ExperimentEvent);
}

/** Returns the stages that ran in a run, and those that were cached. */
function stagesOf(runDir: string): { readonly ran: string[]; readonly cached: string[] } {
  const events = Deno.readTextFileSync(join(runDir, "run.jsonl")).trim().split("\n").map((line) =>
    JSON.parse(line) as RunEvent
  );
  const of = (type: string) => events.flatMap((e) => e.type === type && "stage" in e ? [e.stage] : []);
  return { ran: of("stage_finished"), cached: of("stage_cached") };
}

Deno.test("an experiment is interrupted, resumes, shares equal stages, and runs nothing when repeated", async () => {
  using directory = smallExperiment();
  const args = [
    "experiment",
    directory.file("small.yaml"),
    "--out",
    directory.file("out"),
    "--store", // elsewhere, as for a disk with more room
    directory.file("store"),
    "--jobs",
    "2",
    "--json",
  ];

  const child = launch(args);
  const stdout = child.stdout.pipeThrough(new TextDecoderStream());
  const stderr = new Response(child.stderr).text();
  let out = "";
  for await (const text of stdout) {
    if (!out.includes("experiment_run_started") && text.includes("experiment_run_started")) {
      child.kill("SIGTERM");
    }
    out += text;
  }
  const { code } = await child.status;
  assertEquals(
    [code, await stderr],
    [
      75,
      "Stopping after the current step (press Ctrl-C again to quit immediately)\n" +
      "Interrupted: 4 of 4 runs are not done. Run the same command to resume\n",
    ],
  );
  const ends = eventsIn(out).flatMap((e) => e.type === "experiment_run_finished" ? [e.end] : []);
  assertEquals(new Set(ends), new Set(["stopped"]));

  const whole = await finish(launch(args));
  assertEquals([whole.code, whole.err], [0, ""]);
  const finished = eventsIn(whole.out).flatMap((e) =>
    e.type === "experiment_run_finished" ? [[e.run, e.end]] : []
  );
  assertEquals(finished.sort(), [
    ["gentle/seed-0", "done"],
    ["gentle/seed-1", "done"],
    ["srppo/seed-0", "done"],
    ["srppo/seed-1", "done"],
  ]);
  for (const seed of [0, 1]) {
    const { cached, ran } = stagesOf(directory.file(`out/runs/gentle/seed-${seed}`));
    assert(
      ["tokenize", "sft", "members.sft", "reward", "ppo.rollout", "ppo.score"].every((s) =>
        cached.includes(s)
      ),
    );
    assertEquals(ran, ["ppo.update", "continued", "eval"].filter((stage) => ran.includes(stage)));
    assert(ran.includes("ppo.update") && ran.includes("eval"));
  }
  const rows = readResults(directory.file("out/results.arrow"));
  assertEquals(new Set(rows.map((r) => `${r.arm} ${r.seed}`)).size, 3 * 2);
  const report = JSON.parse(Deno.readTextFileSync(directory.file("out/results.json"))) as ExperimentReport;
  const costs = Object.fromEntries(report.costs.map(({ arm, work }) => [arm, Object.keys(work)]));
  assertEquals(costs.sft, ["tokenize", "sft"]);
  assertEquals(costs.srppo, ["tokenize", "sft", "build-reward", "rollout", "score", "ppo-update"]);
  assert(Deno.readTextFileSync(directory.file("out/report.html")).includes("<!doctype html>"));

  const again = await finish(launch(args));
  assertEquals(eventsIn(again.out).map(({ type }) => type), ["experiment_started", "experiment_finished"]);
  const more = await finish(launch([...args.filter((a) => a !== "--json"), "--seeds", "1,4", "--dry-run"]));
  assertEquals(more.out.split("\n").map((line) => line.replace(/\d+ stages of/, "N stages of")), [
    "srppo/seed-1  done",
    "srppo/seed-4  N stages of 9 to run",
    "gentle/seed-1  done",
    "gentle/seed-4  N stages of 9 to run",
    "",
  ]);
});

Deno.test("wrong calls end with their exit code and one message", async () => {
  using directory = new TemporaryDirectory();
  const broken = directory.write("broken.yaml", "manifest: m.yaml\narms: { a: { modle: x } }\n");
  const cases: [args: string[], err: string][] = [
    [
      ["quickstart", "--seeds", "0", "--jobs=x", "--sets", "a.b=1"],
      'Invalid flags (see --help): unknown flag --sets, did you mean "set"?; --jobs must be a whole number from 1, got "x"; ' +
      '--seeds must be a number of seeds from 1 (--seeds 5) or a list without repeats (--seeds 0,3,4), got "0"\n',
    ],
    [
      ["nothing_of_that_name"],
      "Cannot read experiment pipelines/experiments/nothing_of_that_name.yaml: no such file or directory\n",
    ],
    [
      [broken],
      `Invalid experiment ${broken}: 1 problem\n  ${broken}:2:14: unknown key "modle", did you mean "model"?\n`,
    ],
    [
      ["quickstart", "--set", "ppo.update.betta=1", "--seeds=1"],
      "Invalid manifest pipelines/quickstart.yaml: 1 problem\n" +
      '  pipelines/quickstart.yaml:90:11: unknown parameter "betta", did you mean "beta"?\n',
    ],
  ];
  for (const [args, err] of cases) {
    const ended = await finish(launch(["experiment", ...args, "--out", directory.file("out")]));
    assertEquals({
      ...ended,
      err: ended.err.replace(/yaml:\d+:\d+: unknown param/, "yaml:90:11: unknown param"),
    }, {
      code: 64,
      out: "",
      err,
    });
  }
  assertEquals([...Deno.readDirSync(directory.path)].map(({ name }) => name), ["broken.yaml"]);
});

Deno.test("an experiment starts the pipeline with the permissions of its task, no more", () => {
  const [, ...words] = commandOf(["pipeline"]);
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(projectRoot, "deno.json"))) as {
    tasks: { pipeline: { command: string } };
  };
  const flags = launcherFlags(tasks.pipeline.command);
  assertEquals(flags, words.slice(0, flags.length));
  assertEquals(flags[0], "run");
  assert(!flags.some((flag) => flag === "-A" || flag.startsWith("--allow-write") || flag === "--allow-ffi"));
});
