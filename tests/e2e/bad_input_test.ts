/**
 * Invalid input of users: one message in the project's grammar with file and row, the right exit code, and no file left
 * behind or lost.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { writeBadData } from "./bad_data.ts";
import { SmallQuickstart } from "./small_quickstart.ts";

interface BadCall {
  readonly what: string;
  readonly args: readonly string[];
  readonly code: number;
  readonly message: string;
}

/** Returns the arguments of `deno task stage sft` on `tokens` and `model`. */
function sft(dir: TemporaryDirectory, tokens: string, model = "fixtures/stories260k"): string[] {
  const outputs = ["policy", "metrics"].map((port) => `--out.${port}=${dir.file(`out/${port}`)}`);
  return ["stage", "sft", `--in.tokens=${tokens}`, `--in.model=${model}`, ...outputs];
}

/** Returns the quickstart's manifest with one replacement, and absolute paths. */
function manifest(from: string, to: string): string {
  const text = Deno.readTextFileSync(join(projectRoot, "pipelines/quickstart.yaml"));
  return text.replace(from, to).replaceAll(": fixtures/", `: ${projectRoot}/fixtures/`);
}

const MODULES = "must be one of words, exact, contains, regex, or the path of a module (.ts, .js, .mjs)";

async function badCalls(dir: TemporaryDirectory): Promise<BadCall[]> {
  const bad = await writeBadData(dir);
  const unknownKey = dir.write("unknown_key.yaml", manifest("seed: 0", "seed: 0\nsteps: 3"));
  const wrongParameter = dir.write(
    "wrong_parameter.yaml",
    "stages:\n  tokenize:\n    uses: tokenize\n    with:\n      max_length: many\n",
  );
  const file = dir.write("a_file", "mine");
  const run = ["--run-dir", dir.file("run")];
  return [
    {
      what: "an unknown key in the manifest",
      args: ["pipeline", unknownKey, ...run],
      code: 64,
      message: `Invalid manifest ${unknownKey}: 1 problem\n  ${unknownKey}:7:1: ` +
        'unknown key "steps", known are description, seed, inputs, stages, outputs, keep',
    },
    {
      what: "a parameter of another type, and a missing input",
      args: ["pipeline", wrongParameter, ...run],
      code: 64,
      message: `Invalid manifest ${wrongParameter}: 2 problems\n` +
        `  ${wrongParameter}:2:3: stage "tokenize" requires input "model"\n` +
        `  ${wrongParameter}:5:7: parameter "max_length" must be a number, got "many"`,
    },
    {
      what: "a manifest that does not exist",
      args: ["pipeline", dir.file("none.yaml"), ...run],
      code: 64,
      message: `Cannot read manifest ${dir.file("none.yaml")}: no such file or directory`,
    },
    {
      what: "an input file that does not exist",
      args: ["pipeline", ...run, `--input=demonstrations=${dir.file("none.jsonl")}`],
      code: 65,
      message: `Missing input files: demonstrations is ${dir.file("none.jsonl")} (not found)`,
    },
    {
      what: "inputs that the manifest does not have",
      args: ["pipeline", ...run, "--input=bas=x", "--input=prompt=y"],
      code: 64,
      message:
        'Invalid --input: unknown input "bas", did you mean "base"?; unknown input "prompt", did you mean "prompts"?',
    },
    {
      what: "settings of stages that the manifest does not have",
      args: ["pipeline", ...run, "--set=eva.modes=greedy", "--set=ppo.updat.beta=1"],
      code: 64,
      message: 'Invalid --set: "eva.modes=greedy": unknown stage "eva", did you mean "eval"?; ' +
        '"ppo.updat.beta=1": block "ppo": unknown stage "updat", did you mean "update"?',
    },
    {
      what: "an unknown checker, before anything is trained",
      args: ["stage", "eval", ...evalFlags(dir), "--checker=wrds"],
      code: 64,
      message: `Invalid flags for eval (see --help): --checker ${MODULES}`,
    },
    {
      what: "a stage's input that does not exist",
      args: sft(dir, dir.file("none.arrow")),
      code: 65,
      message: `Missing input files: --in.tokens ${dir.file("none.arrow")} (not found)`,
    },
    {
      what: "a file of another contract",
      args: sft(dir, bad.prompts!),
      code: 65,
      message: `${bad.prompts} must be tokens@1, got prompts@1`,
    },
    {
      what: "a file that is not an Arrow file",
      args: sft(dir, unknownKey),
      code: 65,
      message: `${unknownKey}: invalid Arrow file: it does not begin with ARROW1`,
    },
    {
      what: "a column of another type",
      args: sft(dir, bad.wrongColumn!),
      code: 65,
      message: `${bad.wrongColumn}: column "input_ids" must be list<i32>, got list<f32>`,
    },
    {
      what: "a file without rows",
      args: sft(dir, bad.noRows!),
      code: 65,
      message: `${bad.noRows} (tokens@1) must have rows, got none`,
    },
    {
      what: "NaN in a checkpoint",
      args: sft(dir, bad.tokens!, bad.nanModel),
      code: 65,
      message:
        `${bad.nanModel}/model.safetensors: weights must be finite, but element 63 of model.norm.weight is NaN`,
    },
    {
      what: "demonstrations without a row",
      args: ["pipeline", ...run, `--input=demonstrations=${bad.emptyDemonstrations}`],
      code: 65,
      message: `${bad.emptyDemonstrations} must hold one JSON object per line in UTF-8, got blank lines only`,
    },
    {
      what: "a demonstration that is longer than the model's context",
      args: ["pipeline", ...run, `--input=demonstrations=${bad.longDemonstrations}`],
      code: 65,
      message: `${bad.longDemonstrations}: prompt, response and end must have at most 512 tokens ` +
        "(or use --truncation drop, left or right), got 1 bad row: line 2 (804 tokens)",
    },
    {
      what: "a run directory that cannot be created",
      args: ["pipeline", "--run-dir", join(file, "run")],
      code: 64,
      message: `Cannot write ${join(file, "run")}: a part of the path is not a directory`,
    },
  ];
}

function evalFlags(dir: TemporaryDirectory): string[] {
  return [
    "--in.models.base=fixtures/stories260k",
    `--in.prompts=${dir.file("prompts.arrow")}`,
    `--out.evals=${dir.file("out/evals.arrow")}`,
    `--out.samples=${dir.file("out/samples.arrow")}`,
  ];
}

Deno.test("invalid input ends with one message, the right exit code, and no file left behind", async (t) => {
  using dir = new TemporaryDirectory();
  const calls = await badCalls(dir);
  const before = files(dir.path);
  for (const { what, args, code, message } of calls) {
    await t.step(what, async () => {
      const { code: given, err } = await finish(launch(args));
      assertEquals([given, err], [code, `${message}\n`]);
      // A run directory keeps its log, and everything that finished before the error.
      const after = files(dir.path).filter((path) => !path.startsWith("run/"));
      assertEquals(after, before);
    });
  }
});

Deno.test("a model of an unknown family is refused by name, with a stack trace only for --verbose", async () => {
  using dir = new TemporaryDirectory();
  const { strangeFamily, tokens } = await writeBadData(dir);
  const plain = await finish(launch(sft(dir, tokens!, strangeFamily)));
  assertEquals(plain.code, 65);
  const [message, families] = plain.err.split("one of ");
  assertEquals(message, `${strangeFamily}/config.json: model_type must be `);
  // The list grows with the families.
  assert(/^llama(, [a-z0-9_]+)*, got "mamba"\n$/.test(families!), plain.err);
  const verbose = await finish(launch([...sft(dir, tokens!, strangeFamily), "--verbose"]));
  assertEquals(verbose.code, 65);
  assertStringIncludes(verbose.err, plain.err.trim());
  assertStringIncludes(verbose.err, "\n    at ");
});

Deno.test("a run directory in use by another process exits with 75", async () => {
  using quickstart = new SmallQuickstart();
  Deno.mkdirSync(quickstart.file("held"));
  const path = quickstart.file("held/run.pid");
  using held = Deno.openSync(path, { read: true, write: true, create: true });
  held.lockSync(true);
  held.writeSync(new TextEncoder().encode("process 7, since this morning\n"));
  const inUse = await finish(quickstart.start("held"));
  assertEquals([inUse.code, inUse.err], [
    75,
    `Run directory ${quickstart.file("held")} is in use by process 7, since this morning\n`,
  ]);
});

/** Returns the files below `folder`, sorted. */
function files(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? files(join(folder, name), `${prefix}${name}/`) : [`${prefix}${name}`]
  ).sort();
}
