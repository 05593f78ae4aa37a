import { assertEquals, assertThrows } from "@std/assert";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { checkInputsExist, inputRoot, resolveInputs } from "./inputs.ts";
import { parseManifest } from "./manifest_reader.ts";
import { applySettings, parseInputs, parseSettings } from "./settings.ts";

const MANIFEST = parseManifest(
  `inputs: { base: models/base, demonstrations: d.jsonl, prompts: p.jsonl, eval_prompts: null }
stages:
  sft: { uses: sft, with: { lr: 1 } }
  ppo: { iterate: { count: 20 }, stages: { update: { uses: ppo-update } } }`,
  "m.yaml",
).manifest;

Deno.test("--set changes parameters and the counts of loops, with values read as YAML", () => {
  const settings = parseSettings([
    "sft.lr=1e-4",
    "sft.name=a=b",
    "ppo.update.kl-stop=null",
    "ppo.count=3",
    "sft.modes=[x, y]",
  ]);
  const { sft, ppo } = applySettings(MANIFEST, settings).stages as Record<string, Record<string, unknown>>;
  assertEquals(sft!.with, { lr: 1e-4, name: "a=b", modes: ["x", "y"] });
  assertEquals((ppo!.iterate as { count: number }).count, 3);
  assertEquals((ppo!.stages as { update: { with: unknown } }).update.with, { kl_stop: null });
  assertEquals(
    "with" in MANIFEST.stages.sft! && MANIFEST.stages.sft.with,
    { lr: 1 },
    "the manifest is left as it is",
  );
});

Deno.test("invalid --set and --input flags are refused, all in one message", () => {
  const bad = ["stf.lr=1", "ppo.updte.lr=1", "ppo.iterations=2", "ppo.count=0", "sft.a.b=1"];
  const error = assertThrows(() => applySettings(MANIFEST, parseSettings(bad)), UsageError);
  assertEquals(
    error.message,
    'Invalid --set: "stf.lr=1": unknown stage "stf", did you mean "sft"?; ' +
      '"ppo.updte.lr=1": block "ppo": unknown stage "updte", did you mean "update"?; ' +
      '"ppo.iterations=2": "ppo" is a block: only ppo.count and ppo.STAGE.PARAM can be set; ' +
      '"ppo.count=0": count must be a whole number ≥ 1, got 0; "sft.a.b=1": "sft" is a stage, not a block',
  );
  assertEquals(
    assertThrows(() => parseSettings(["lr=1", "sft.lr"]), UsageError).message,
    '--set must be STAGE.PARAM=VALUE, got "lr=1", "sft.lr"',
  );
  assertEquals(
    assertThrows(() => parseInputs(["a", "b=1", "b=2"]), UsageError).message,
    '--input must be NAME=PATH, once for each name, got "a", "b=2"',
  );
});

Deno.test("--input demonstrations unsets the prompts of the manifest's demonstrations", () => {
  const places = { root: "/project", workingDirectory: "/here" };
  assertEquals(resolveInputs(MANIFEST, {}, places), {
    base: "/project/models/base",
    demonstrations: "/project/d.jsonl",
    prompts: "/project/p.jsonl",
    eval_prompts: null,
  });
  assertEquals(resolveInputs(MANIFEST, { demonstrations: "mine.jsonl" }, places), {
    base: "/project/models/base",
    demonstrations: "/here/mine.jsonl",
    prompts: null,
    eval_prompts: null,
  });
  assertEquals(
    resolveInputs(MANIFEST, { demonstrations: "a", eval_prompts: "/b" }, places).eval_prompts,
    "/b",
  );
});

Deno.test("inputs that the manifest does not have, are on the hub, or do not exist are refused", () => {
  const places = { root: "/project", workingDirectory: "/here" };
  assertEquals(
    assertThrows(() => resolveInputs(MANIFEST, { bse: "x" }, places), UsageError).message,
    'Invalid --input: unknown input "bse", did you mean "base"?',
  );
  assertEquals(
    assertThrows(() => resolveInputs(MANIFEST, { base: "hf:org/model" }, places), UsageError).message,
    "Inputs must be local paths (download hf: models first): base is hf:org/model",
  );
  const error = assertThrows(() => checkInputsExist({ base: "lib/no_such", none: null }), DataError);
  assertEquals(error.message, "Missing input files: base is lib/no_such (not found)");
});

Deno.test("relative inputs start at the project around pipelines/, else at the manifest's folder", () => {
  assertEquals(inputRoot("/a/pipelines/x.yaml"), "/a");
  assertEquals(inputRoot("/a/pipelines/controls/deep/x.yaml"), "/a");
  assertEquals(inputRoot("/pipelines/x.yaml"), "/");
  assertEquals(inputRoot("/a/b/x.yaml"), "/a/b");
});

Deno.test("--set of one stage does not change another that shares its YAML anchor", () => {
  const { manifest } = parseManifest(
    [
      "stages:",
      "  first: { uses: sft, in: { tokens: inputs.t, model: inputs.m }, with: &shared { epochs: 4 } }",
      "  second: { uses: sft, in: { tokens: inputs.t, model: inputs.m }, with: *shared }",
      "inputs: { t: t.arrow, m: m }",
      "outputs: { policy: second.policy }",
    ].join("\n"),
    "shared.yaml",
  );
  const { first, second } = applySettings(manifest, parseSettings(["second.epochs=1"])).stages as Record<
    string,
    { with: unknown }
  >;
  assertEquals([first!.with, second!.with], [{ epochs: 4 }, { epochs: 1 }]);
});
