/** Experiment files: what is read, and every problem of one at once. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { ManifestError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { controlsOf, parseExperiment, preparedReference, withArms } from "./experiment_reader.ts";

/** Returns the lines after the first: one for each problem. */
function problemsOf({ message }: Error): string {
  return message.slice(message.indexOf("\n"));
}

Deno.test("parseExperiment() fills in defaults", () => {
  const { name, experiment } = parseExperiment(
    "manifest: pipelines/quickstart.yaml\narms: { a: {}, b: { model: sft, seeds: [3] } }\ncontrol: b\n",
    "pipelines/experiments/mine.yaml",
  );
  assertEquals(name, "mine");
  assertEquals(experiment, {
    seeds: 5,
    manifest: "pipelines/quickstart.yaml",
    set: [],
    inputs: {},
    prepare: {},
    arms: {
      a: { set: [], inputs: {} },
      b: { model: "sft", set: [], inputs: {}, seeds: [3] },
    },
    control: "b",
    metric: "score",
    grid: {},
  });
  assertEquals(controlsOf(experiment), ["b"]);
});

Deno.test("parseExperiment() lists every problem of form with its place", () => {
  const text = `seed: 3
seeds: 0
arms:
  Paper: { model: srppo }
  sft: { modl: sft }
grid:
  size: [{ value: 64, sets: [a.b=1] }, { value: 64 }]
`;
  const error = assertThrows(() => parseExperiment(text, "x.yaml"), ManifestError);
  assertEquals(
    problemsOf(error),
    `
  x.yaml:1:1: unknown key "seed", did you mean "seeds"?
  x.yaml:2:1: "seeds" must be ≥ 1
  x.yaml:4:3: "Paper" must be snake_case: a letter, then letters, digits and _
  x.yaml:5:10: unknown key "modl", did you mean "model"?
  x.yaml:7:3: "size" must not repeat a value
  x.yaml:7:23: unknown key "sets", did you mean "set"?`,
  );
});

Deno.test("parseExperiment() lists every problem of names and settings with its place", () => {
  const text = `set: [sft.epochs=2, epochs=2]
inputs: { rollouts: prepare.moar.rollouts }
prepare:
  more: { manifest: more.yaml, inputs: { base: prepare.more.model } }
arms:
  sft: { manifest: a.yaml, set: [oops] }
  srppo: {}
control: [sft, srpo]
`;
  const error = assertThrows(() => parseExperiment(text, "x.yaml"), ManifestError);
  assertEquals(
    problemsOf(error),
    `
  x.yaml:1:21: a setting must be STAGE.PARAM=VALUE, got "epochs=2"
  x.yaml:2:11: unknown prepared run "moar", known are more
  x.yaml:4:42: unknown prepared run "more"
  x.yaml:6:34: a setting must be STAGE.PARAM=VALUE, got "oops"
  x.yaml:7:3: arm "srppo" requires a manifest, its own or the experiment's
  x.yaml:8:1: unknown arm "srpo", did you mean "srppo"?`,
  );
});

Deno.test("an axis names each value once, and a broken document says where it breaks", () => {
  const twice = "manifest: m.yaml\narms: { a: {} }\ngrid: { size: [{ value: 1 }, { value: 1 }] }\n";
  assertThrows(
    () => parseExperiment(twice, "x.yaml"),
    ManifestError,
    'x.yaml:3:9: "size" must not repeat a value',
  );
  assertThrows(
    () => parseExperiment("arms: { a: {}\n", "x.yaml"),
    ManifestError,
    "1 problem",
  );
});

Deno.test("withArms() keeps the given arms, in the file's order, and the controls among them", () => {
  const source = parseExperiment(
    "manifest: m.yaml\narms: { a: {}, b: {}, srppo: {} }\ncontrol: [a, b]\n",
    "x.yaml",
  );
  const { experiment } = withArms(source, ["srppo", "b"]);
  assertEquals([Object.keys(experiment.arms), experiment.control], [["b", "srppo"], ["b"]]);
  assertEquals(withArms(source, ["srppo"]).experiment.control, undefined);
  assertThrows(
    () => withArms(source, ["srpo", "b"]),
    UsageError,
    'Invalid value for --arms (x.yaml): unknown arm "srpo", did you mean "srppo"?',
  );
});

Deno.test("preparedReference() reads prepare.NAME.OUTPUT and leaves paths alone", () => {
  assertEquals(preparedReference("prepare.more.rollouts"), { run: "more", output: "rollouts" });
  assertEquals(preparedReference("prepare.more/rollouts"), undefined);
  assertEquals(preparedReference("data/prepare.jsonl"), undefined);
});
