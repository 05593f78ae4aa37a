/** Arms by grid by seeds: which runs there are, which cells share them, what does not fit. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { ManifestError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { EXAMPLE_EXPERIMENT, EXAMPLE_MANIFEST } from "@/tests/experiments/example_experiment.ts";
import { parseExperiment } from "./experiment_reader.ts";
import { type ExperimentRuns, type Overrides, resolveRuns } from "./resolve_runs.ts";

/** Without the loop, as a manifest of data only. */
const SMALL = { ...EXAMPLE_MANIFEST, stages: { tokenize: EXAMPLE_MANIFEST.stages.tokenize! } };

function resolved(text: string, overrides: Overrides = { set: [] }): Promise<ExperimentRuns> {
  return resolveRuns(parseExperiment(text, "x.yaml"), overrides, {
    root: "/project",
    read: (path) => {
      if (path === "small.yaml") return Promise.resolve(SMALL);
      if (path.startsWith("no")) {
        throw new UsageError(`Cannot read manifest ${path}: no such file`);
      }
      return Promise.resolve(EXAMPLE_MANIFEST);
    },
  });
}

Deno.test("models of one run share it, seeds run innermost, an arm with fewer seeds has fewer cells", async () => {
  const { runs, cells } = await resolved(EXAMPLE_EXPERIMENT);
  assertEquals(cells.length, 3 * (4 + 4 + 2 + 4));
  assertEquals(runs.length, 3 * (4 + 2));
  assertEquals(runs.slice(0, 5).map(({ name }) => name), [
    "srppo/demonstrations=64/seed-0",
    "srppo/demonstrations=64/seed-1",
    "srppo/demonstrations=64/seed-2",
    "srppo/demonstrations=64/seed-3",
    "srppo/demonstrations=256/seed-0",
  ]);
  const own = cells.filter(({ run }) => run === runs[0]).map(({ arm }) => arm);
  assertEquals(own, ["sft", "continued_sft", "srppo"]);
  assertEquals([runs[0]!.settings, runs[0]!.store], [["tokenize.draw=64"], "seed-0"]);
});

Deno.test("an arm without a model has the last one that its manifest compares", async () => {
  const { cells } = await resolved("manifest: main.yaml\nseeds: 1\narms: { a: {}, b: { model: sft } }\n");
  assertEquals(cells.map(({ arm, model, run }) => [arm, model, run.name]), [
    ["a", "srppo", "a/seed-0"],
    ["b", "sft", "a/seed-0"],
  ]);
});

Deno.test("--seeds takes how many or which; an arm with seeds of its own runs those of them", async () => {
  const count = async (seeds: number | readonly number[]) => {
    const { runs } = await resolved(EXAMPLE_EXPERIMENT, { set: [], seeds });
    return runs.filter(({ name }) => name.includes("=64")).map(({ name }) =>
      name.replace("/demonstrations=64", "")
    );
  };
  assertEquals(await count(1), ["srppo/seed-0", "srppo_paper/seed-0"]);
  assertEquals(await count([1, 7]), ["srppo/seed-1", "srppo/seed-7", "srppo_paper/seed-1"]);
});

Deno.test("settings win in the order experiment, grid, arm, command line; shared ones touch only what has the stage", async () => {
  const text = `
manifest: main.yaml
set: [sft.lr=1, ppo.count=2]
inputs: { prompts: data/p.jsonl }
seeds: [5]
grid:
  a: [{ value: 1, set: [sft.lr=2] }]
  b: [{ value: x, inputs: { base: "hf:org/name" } }, { value: y/z }]
arms:
  one: { set: [sft.lr=3], inputs: { demonstrations: /abs/d.jsonl } }
  two: { manifest: small.yaml }
`;
  const { runs } = await resolved(text, { set: ["sft.lr=4"] });
  assertEquals(runs.map(({ name }) => name), [
    "one/a=1/b=x/seed-5",
    "one/a=1/b=y_z/seed-5",
    "two/a=1/b=x/seed-5",
    "two/a=1/b=y_z/seed-5",
  ]);
  assertEquals(runs[0]!.settings, ["sft.lr=1", "ppo.count=2", "sft.lr=2", "sft.lr=3", "sft.lr=4"]);
  const prompts = "/project/data/p.jsonl";
  assertEquals(runs[0]!.inputs, { prompts, base: "hf:org/name", demonstrations: "/abs/d.jsonl" });
  assertEquals([runs[2]!.settings, runs[3]!.inputs], [[], { prompts }]);
});

Deno.test("prepared runs have a seed and a store of their own, and others read their outputs", async () => {
  const text = `
manifest: main.yaml
prepare: { more: { manifest: small.yaml, seed: 7, set: [tokenize.draw=9] } }
inputs: { prompts: prepare.more.prompts }
arms: { srppo: { seeds: 1 } }
`;
  const { prepared, runs } = await resolved(text, { set: ["ppo.count=1"] });
  assertEquals(prepared, {
    more: {
      settings: ["tokenize.draw=9"],
      inputs: {},
      name: "prepare/more",
      manifest: "small.yaml",
      seed: 7,
      store: "prepare",
    },
  });
  assertEquals(runs.map(({ settings, inputs }) => [settings, inputs]), [[["ppo.count=1"], {
    prompts: "prepare.more.prompts",
  }]]);
});

Deno.test("settings that fit no manifest and missing manifests are listed at once", async () => {
  const text = `
manifest: main.yaml
set: [sftt.lr=1]
grid: { size: [{ value: 1, inputs: { promts: p.jsonl } }, { value: 2 }] }
arms:
  one: { set: [ppo.rolout.temperature=2, ppo.count=0] }
  two: { manifest: small.yaml, set: [sft.lr=3], inputs: { x: y } }
  three: { manifest: nowhere.yaml }
`;
  const error = await assertRejects(() => resolved(text), ManifestError);
  assertEquals(
    error.message.slice(error.message.indexOf("\n")),
    `
  x.yaml:3:7: unknown stage "sftt", did you mean "sft"?
  x.yaml:4:38: unknown input "promts" in main.yaml, did you mean "prompts"?
  x.yaml:6:16: block "ppo": unknown stage "rolout", did you mean "rollout"?
  x.yaml:6:42: count must be a whole number ≥ 1, got 0
  x.yaml:7:38: unknown stage "sft", known are tokenize
  x.yaml:7:59: unknown input "x" in small.yaml, known are base, demonstrations, prompts
  x.yaml:8:12: Cannot read manifest nowhere.yaml: no such file`,
  );
  const call = await assertRejects(() => resolved(EXAMPLE_EXPERIMENT, { set: ["pppo.count=1"] }), UsageError);
  assertEquals(
    call.message,
    'Invalid value for --set: no manifest of the experiment has it: "pppo.count=1": unknown stage "pppo", did you mean "ppo"?',
  );
});
