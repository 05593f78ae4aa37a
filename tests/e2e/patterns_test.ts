/**
 * Patterns for data files as users type them: which files they match, in what order, with which permissions, and that one more
 * file changes the input.
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { readTokens } from "@/lib/data/contracts/tokens.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { stagePaths, withFiles } from "@/lib/app/stage_arguments.ts";
import { taskPermissions } from "@/lib/pipeline/executors/worker_command.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const MODEL = join(projectRoot, "fixtures/stories260k");

/** Returns a directory with a file of one demonstration for every name; the name is the row's id. */
function demonstrations(...names: string[]): TemporaryDirectory {
  const dir = new TemporaryDirectory();
  names.forEach((name) => add(dir, name));
  return dir;
}

function add(dir: TemporaryDirectory, name: string): void {
  Deno.mkdirSync(join(dir.file(name), ".."), { recursive: true });
  dir.write(name, `${JSON.stringify({ id: name, prompt: `Once ${name}`, response: " upon a time." })}\n`);
}

/** Runs tokenize alone and returns the ids of its rows. */
async function tokenized(dir: TemporaryDirectory, ...flags: string[]): Promise<string[]> {
  const [train, report] = [dir.file("out/train.arrow"), dir.file("out/report")];
  const { code, err } = await finish(launch([
    "stage",
    "tokenize",
    ...flags,
    `--in.model=${MODEL}`,
    `--out.train=${train}`,
    `--out.report=${report}`,
  ]));
  assertEquals([code, err], [0, ""]);
  return readTokens(train).rows.map(({ id }) => id);
}

Deno.test("a stage accepts several patterns, each with a weight", async () => {
  using dir = demonstrations("b.jsonl", "a.jsonl", "x/c.jsonl", "x/y/d.jsonl", "[e].jsonl", "e.jsonl");
  assertEquals(await tokenized(dir, "--in.demonstrations", dir.file("?.jsonl")), [
    "a.jsonl",
    "b.jsonl",
    "e.jsonl",
  ]);
  const mixed = await tokenized(
    dir,
    `--in.demonstrations=${dir.file("x/**/*.jsonl")}`,
    `--in.demonstrations=${dir.file("[e].jsonl")}`,
    "--weights=2,1",
  );
  assertEquals(mixed, ["x/c.jsonl", "x/y/d.jsonl", "x/c.jsonl#2", "x/y/d.jsonl#2", "[e].jsonl"]);
});

Deno.test("a pattern that matches nothing, and one at a port for a model, give one clear error", async () => {
  using dir = demonstrations("a.jsonl", "b.jsonl");
  const run = async (...args: string[]) => {
    const { code, err } = await finish(launch(args));
    return [code, err];
  };
  const outputs = [`--out.report=${dir.file("report")}`];
  const none = dir.file("*.csv"), both = dir.file("*.jsonl");
  assertEquals(
    await run("stage", "tokenize", "--in.demonstrations", none, `--in.model=${MODEL}`, ...outputs),
    [
      65,
      `Missing input files: --in.demonstrations ${none} (no file matches)\n`,
    ],
  );
  assertEquals(
    await run("stage", "tokenize", "--in.demonstrations", both, `--in.model=${both}`, ...outputs),
    [
      64,
      "A directory or pattern of several files is allowed only for inputs with contract file, got --in.model " +
      `${dir.file("a.jsonl")} and 1 more file\n`,
    ],
  );
  const runDir = ["--run-dir", dir.file("run")];
  assertEquals(await run("pipeline", ...runDir, `--input=demonstrations=${none}`), [
    65,
    `Missing input files: demonstrations is ${none} (no file matches)\n`,
  ]);
  const [code, err] = await run("pipeline", ...runDir, `--input=base=${both}`);
  assertEquals(code, 64);
  assertStringIncludes(
    String(err),
    `A directory or pattern of several files is allowed only for inputs with contract file, got input "model" of tokenize reads ` +
      `${dir.file("a.jsonl")} and 1 more file; `,
  );
});

Deno.test("a new matching file or a changed one changes the input, a file that does not match does not", async () => {
  using dir = demonstrations("data/b.jsonl", "data/a.jsonl", "data/prompts.ndjson", "eval.jsonl");
  const manifest = dir.write(
    "own.yaml",
    `inputs: { base: ${MODEL}, demonstrations: "data/*.jsonl", prompts: "data/p*", eval_prompts: eval.jsonl }
stages:
  tokenize:
    uses: tokenize
    in:
      model: inputs.base
      demonstrations: inputs.demonstrations
      prompts: inputs.prompts
      eval_prompts: inputs.eval_prompts
outputs: { train: tokenize.train, raw: inputs.demonstrations }
`,
  );
  const run = async (...flags: string[]) => {
    const call = ["pipeline", manifest, "--run-dir", dir.file("run"), "--json", ...flags];
    const { code, out, err } = await finish(launch(call));
    assertEquals(code, 0, err);
    const events = out.trim().split("\n").map((line) => JSON.parse(line) as RunEvent);
    const last = events.at(-1) as Extract<RunEvent, { type: "run_finished" }>;
    const ids = readTokens(dir.file("run/outputs/train.arrow")).rows.map(({ id }) => id);
    return { ran: last.ran, ids };
  };
  const inputs = Deno.build.os === "windows" ? [] : ["--executor", "process"];
  assertEquals(await run(...inputs), { ran: 1, ids: ["data/a.jsonl", "data/b.jsonl"] });
  const copied = [...Deno.readDirSync(dir.file("run/outputs/raw"))].map(({ name }) => name).sort();
  assertEquals(copied, ["a.jsonl", "b.jsonl"]);
  dir.write("data/other.csv", "prompt,response\nq,a\n");
  assertEquals((await run()).ran, 0);
  assertEquals((await run("--input", `demonstrations=${dir.file("data/{b,a}.jsonl")}`)).ran, 1);
  add(dir, "data/c.jsonl");
  assertEquals(await run(), { ran: 1, ids: ["data/a.jsonl", "data/b.jsonl", "data/c.jsonl"] });
  Deno.renameSync(dir.file("data/c.jsonl"), dir.file("data/0.jsonl"));
  assertEquals(await run(), { ran: 1, ids: ["data/c.jsonl", "data/a.jsonl", "data/b.jsonl"] });
});

Deno.test("a process with a pattern may read the files that match and no others", () => {
  using dir = demonstrations("a.jsonl", "b.jsonl", "c.csv");
  const args = withFiles(["tokenize", "--in.demonstrations", "*.jsonl", "--in.model=m"], dir.path);
  assertEquals(args, [
    "tokenize",
    "--in.demonstrations",
    dir.file("{a.jsonl,b.jsonl}"),
    "--in.model=m",
  ]);
  const files = [dir.file("a.jsonl"), dir.file("b.jsonl")];
  assertEquals(stagePaths(args, dir.path).read, [...files, dir.file("m")]);
  const flags = taskPermissions(
    {
      version: 1,
      stage: "tokenize",
      params: {},
      inputs: { demonstrations: [args[2]!] },
      outputs: { train: dir.file("out/train.arrow") },
      seed: 0,
      iteration: 0,
      threads: 1,
    },
    dir.file("task.json"),
    {
      root: "/project",
      stages: {
        list: () => Promise.resolve([]),
        load: () => Promise.reject(new Error("not used")),
        program: () => "/project/stages/tokenize/main.ts",
      },
    },
  );
  const read = flags.find((flag) => flag.startsWith("--allow-read="))!.slice(13).split(",");
  assertEquals(read.filter((path) => path.startsWith(dir.path)), [
    ...files,
    dir.file("out"),
    dir.file("task.json"),
  ]);
});
