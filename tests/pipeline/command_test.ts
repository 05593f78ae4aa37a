/** `deno task pipeline` and `deno task stage` as a user calls them: launcher, exit codes, and shipped manifests. @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { stages } from "@/lib/app/registry.ts";
import { inputRoot, resolveInputs } from "@/lib/pipeline/engine/inputs.ts";
import { manifestJsonSchema } from "@/lib/pipeline/engine/manifest.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const TOKENIZE =
  `inputs: { base: ${projectRoot}/fixtures/stories260k, texts: ${projectRoot}/fixtures/quickstart/prompts.jsonl }
stages: { tokenize: { uses: tokenize, in: { prompts: inputs.texts, model: inputs.base } } }
outputs: { prompts: tokenize.prompts }
`;

Deno.test("deno task pipeline runs a manifest, then finds it cached; the stage alone gives the same bytes", async () => {
  using dir = new TemporaryDirectory();
  const manifest = dir.write("small.yaml", TOKENIZE);
  const args = ["pipeline", manifest, "--run-dir", dir.file("run")];
  const first = await finish(launch(args));
  assertEquals(first.code, 0, first.err);
  assertEquals(
    [...Deno.readDirSync(dir.file("run"))].map((e) => e.name).sort(),
    ["outputs", "report.html", "report.json", "run.jsonl", "run.lock.yaml", "run.pid", "store"],
  );
  const again = await finish(launch([...args, "--json"]));
  const events = again.out.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(events.map((event) => event.type), ["run_started", "stage_cached", "run_finished"]);
  const dry = await finish(launch([...args, "--dry-run", "--set", "tokenize.max_prompt_length=99"]));
  assertEquals(dry, {
    code: 0,
    out: "run     tokenize  max_prompt_length: 0 → 99\n1 stage to run, 0 cached\n",
    err: "",
  });

  const alone = await finish(launch([
    "stage",
    "tokenize",
    "--in.prompts=fixtures/quickstart/prompts.jsonl",
    "--in.model",
    "fixtures/stories260k",
    "--out.prompts",
    dir.file("alone.arrow"),
    "--out.report",
    dir.file("report"),
  ]));
  assertEquals([alone.code, alone.err], [0, ""]);
  assertEquals(
    Deno.readFileSync(dir.file("alone.arrow")),
    Deno.readFileSync(dir.file("run/outputs/prompts.arrow")),
  );
});

Deno.test("invalid calls end with their exit code and one message before anything starts", async () => {
  using dir = new TemporaryDirectory();
  const manifest = dir.write("small.yaml", TOKENIZE);
  const cases: [args: string[], code: number, message: string][] = [
    [
      ["pipeline", "--seeed=1"],
      64,
      'Invalid flags (see --help): unknown flag --seeed, did you mean "--seed"?\n',
    ],
    [
      ["pipeline", "--threads=0", "--executor=inlin"],
      64,
      'Invalid flags (see --help): --threads must be an integer ≥ 1, got "0"; --executor must be one of inline, process, container, ssh, slurm, got "inlin", did you mean "inline"?\n',
    ],
    [
      ["pipeline", manifest, "--input", `base=${dir.file("none")}`],
      65,
      `Missing input files: base is ${dir.file("none")} (not found)\n`,
    ],
    [
      ["pipeline", manifest, "--run-dir", dir.file("run"), "--set=tokenize.max_length=x"],
      64,
      `Invalid manifest ${manifest}: 1 problem\n  ${manifest}:2:11: parameter "max_length" must be a number, got "x"\n`,
    ],
    [
      ["stage", "tokenise"],
      64,
      'Unknown stage "tokenise", did you mean "tokenize"?\n',
    ],
  ];
  for (const [args, code, err] of cases) assertEquals(await finish(launch(args)), { code, out: "", err });
  assertEquals([...Deno.readDirSync(dir.path)].map((e) => e.name), ["small.yaml"]);
});

Deno.test("deno task stage lists every stage with its flags", async () => {
  const { code, out } = await finish(launch(["stage"]));
  assertEquals(code, 0);
  for (const id of await stages.list()) assertStringIncludes(out, `Usage: deno task stage ${id} [flags]`);
});

Deno.test("pipelines/pipeline.schema.json is what deno task schema writes", () => {
  const published = JSON.parse(Deno.readTextFileSync(join(projectRoot, "pipelines/pipeline.schema.json")));
  assertEquals(published, JSON.parse(JSON.stringify(manifestJsonSchema())));
});

for (const name of ["quickstart", "paper", "align", "lipogram"]) {
  Deno.test(`pipelines/${name}.yaml fits the stages`, async () => {
    const file = join(projectRoot, "pipelines", `${name}.yaml`);
    const source = await readManifest(file, `pipelines/${name}.yaml`);
    const given: Record<string, string> = name === "align"
      ? { base: "/base", demonstrations: "/demos.jsonl" }
      : {};
    const inputs = resolveInputs(source.manifest, given, { root: inputRoot(file), workingDirectory: "/" });
    const blueprint = await makeBlueprint(source, stages, { inputs });
    assertEquals(blueprint.warnings, []);
    assertEquals(Object.keys(blueprint.outputs), ["policy", "reward", "evals"]);
  });
}
