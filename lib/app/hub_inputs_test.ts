import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fakeHub } from "@/tests/support/fake_hub.ts";
import { commandOf, finish } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { hubInputs, withInputs } from "./hub_inputs.ts";
import { projectRoot } from "./project_root.ts";

Deno.test("hub inputs are those of the manifest, unless the command line gives others", () => {
  const manifest = { base: "hf:org/a", demonstrations: "d.jsonl", prompts: null };
  assertEquals(hubInputs(manifest, {}), { base: "hf:org/a" });
  assertEquals(hubInputs(manifest, { base: "models/b" }), {});
  assertEquals(hubInputs({ ...manifest, base: null }, { base: "hf:org/c@v1", bse: "hf:org/d" }), {
    base: "hf:org/c@v1",
  });
});

Deno.test("withInputs() replaces what was given by name and adds what the manifest names", () => {
  const args = [
    "m.yaml",
    "--input",
    "base=hf:a",
    "--seed",
    "1",
    "--input=eval-base=hf:b",
    "--input",
    "prompts=p",
  ];
  assertEquals(withInputs(args, { base: "/a", eval_base: "/b", other: "/c" }), [
    "m.yaml",
    "--seed",
    "1",
    "--input",
    "prompts=p",
    "--input=base=/a",
    "--input=eval_base=/b",
    "--input=other=/c",
  ]);
});

/** Starts a task as deno.json does, without the shell, with HF_ENDPOINT and HF_TOKEN. */
function launch(args: readonly string[], endpoint: string): Deno.ChildProcess {
  const [program, ...words] = commandOf(args);
  return new Deno.Command(program!, {
    args: words,
    cwd: projectRoot,
    env: { NO_COLOR: "1", HF_ENDPOINT: endpoint, HF_TOKEN: "hf_secret" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("a stage and a pipeline take hf: models; without the hub the exit code is 69 and there is one message", async () => {
  const model = "fixtures/stories260k";
  const read = (name: string) => Deno.readFileSync(join(model, name));
  const names = Array.from(Deno.readDirSync(model), ({ name }) => name).filter((name) =>
    /json$|safetensors$/.test(name)
  );
  const hub = fakeHub(Object.fromEntries(names.map((name) => [name, read(name)])));
  using directory = new TemporaryDirectory();
  hub.token = "hf_secret";
  const cache = `--hub-cache=${directory.file("cache")}`;
  const stage = (reference: string, out: string) =>
    launch([
      "stage",
      "tokenize",
      cache,
      "--in.demonstrations",
      "fixtures/quickstart/demos.jsonl",
      `--in.model=${reference}`,
      ...["train", "validation", "prompts", "eval_prompts", "report"].map((port) =>
        `--out.${port}=${join(directory.file(out), port)}`
      ),
    ], hub.endpoint);
  const { code, err } = await finish(stage("hf:org/tiny", "a"));
  assertEquals(code, 0, err);
  assertEquals(Deno.statSync(join(directory.file("a"), "train")).isFile, true);
  const plan = await finish(
    launch([
      "pipeline",
      "--input=base=hf:org/tiny",
      "--dry-run",
      `--run-dir=${directory.file("run")}`,
      cache,
    ], hub.endpoint),
  );
  assertEquals(plan.code, 0, plan.err);
  await hub[Symbol.asyncDispose]();
  const without = await finish(stage("hf:org/other", "b"));
  assertEquals(without.code, 69);
  assertEquals(without.err.trim().split("\n").length, 1, without.err);
  assertEquals(
    without.err.startsWith(`Cannot download hf:org/other: request to ${hub.endpoint} failed: `),
    true,
    without.err,
  );
});
