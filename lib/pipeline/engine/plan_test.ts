import { assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { defineStage, type Ports, type Stage } from "@/lib/data/contracts/stage.ts";
import { ManifestError } from "@/lib/compute/tensor/errors.ts";
import { type Blueprint, isBlock, type IteratePlan, type StagePlan, type StageSource } from "./blueprint.ts";
import { parseManifest } from "./manifest_reader.ts";
import { makeBlueprint } from "./plan.ts";

function fake(id: string, inputs: Ports, outputs: Ports): Stage {
  const params = z.strictObject({
    lr: z.number().positive().default(1e-3).describe("rate"),
    passes: z.int().min(1).default(1).describe("passes"),
  });
  return defineStage({
    id,
    summary: id,
    params,
    inputs,
    outputs,
    random: true,
    renamed: { rounds: "passes" },
    run: () => Promise.resolve(),
  });
}

const MODEL = { contract: "model", description: "a model" } as const;
const METRICS = { contract: "metrics@1", description: "metrics" } as const;
const ALL: Stage[] = [
  fake("train", { model: MODEL, state: { contract: "state", description: "s", optional: true } }, {
    policy: MODEL,
    state: { contract: "state", description: "s" },
    metrics: METRICS,
    checkpoints: { contract: "models", description: "intermediate checkpoints" },
  }),
  fake("judge", {
    models: { ...MODEL, many: "map" },
    metrics: { ...METRICS, many: "list", optional: true },
  }, { evals: { contract: "evals@1", description: "scores" } }),
  {
    ...fake("choose", {
      from: { contract: ["model", "models"], description: "models", many: "list", optional: true },
      critic: { ...MODEL, optional: true },
    }, {
      policy: MODEL,
      critic: { ...MODEL, optional: true },
      steps: { contract: "models", description: "intermediate checkpoints", optional: true },
    }),
    needs: ({ passes }) =>
      (passes as number) > 1 ? { from: `passes=${passes}`, critic: `passes=${passes}` } : {},
    omits: ({ passes }) => passes === 1 ? { steps: "passes=1" } : {},
  },
];

const SOURCE: StageSource = {
  list: () => Promise.resolve(ALL.map((stage) => stage.id)),
  load: (id) => Promise.resolve(ALL.find((stage) => stage.id === id)!),
  program: (id) => `/stages/${id}/main.ts`,
};

function plan(text: string, inputs: Record<string, string | null> = { base: "/base" }): Promise<Blueprint> {
  return makeBlueprint(parseManifest(text, "m.yaml"), SOURCE, { inputs });
}

async function problemsOf(text: string, inputs?: Record<string, string | null>): Promise<string[]> {
  const error = await assertRejects(() => plan(text, inputs), ManifestError) as ManifestError;
  return error.message.split("\n").slice(1).map((line) => line.trim());
}

Deno.test("makeBlueprint() resolves parameters and sorts entries after what they read", async () => {
  const blueprint = await plan(`inputs: { base: base, spare: x }
stages:
  judge: { uses: judge, in: { models: { a: b.policy }, metrics: loop.metrics } }
  loop:
    iterate: { count: 3, carry: { policy: b.policy } }
    stages: { train: { uses: train, in: { model: carry.policy } } }
    next: { policy: train.policy }
  b: { uses: train, in: { model: inputs.base }, with: { passes: 2 }, seed: other }`);
  assertEquals(blueprint.entries.map((entry) => entry.name), ["b", "loop", "judge"]);
  const b = blueprint.entries[0]!;
  assertEquals(!isBlock(b) && [b.params, b.seedLabel], [{ lr: 1e-3, passes: 2 }, "other"]);
  assertEquals(blueprint.warnings, ['input "spare" is not used']);
});

Deno.test("makeBlueprint() lists unknown programs with the nearest name", async () => {
  assertEquals(await problemsOf("stages: { a: { uses: tran }, b: { uses: jugde } }"), [
    'm.yaml:1:16: unknown stage program "tran", did you mean "train"?',
    'm.yaml:1:35: unknown stage program "jugde", did you mean "judge"?',
  ]);
});

Deno.test("makeBlueprint() lists wrong ports, references, contracts, parameters and outputs at once", async () => {
  const problems = await problemsOf(`inputs: { base: base }
stages:
  a: { uses: train, in: { modle: inputs.base }, with: { lr: -1, pases: 2, passes: x } }
  b: { uses: train, in: { model: a.polcy, state: a.policy } }
  c: { uses: train, in: { model: inputs.bas } }
  d: { uses: train, in: { model: [a.policy] } }
  e: { uses: judge, in: { models: a.policy } }
  f: { uses: judge, in: { models: { x: a.checkpoints } }, every: 2 }
  g: { uses: train, in: { model: carry.x } }
  h: { uses: train, in: { model: nothing.policy } }
outputs: { policy: a.policy.x, evals: e }`);
  assertEquals(problems, [
    'm.yaml:3:3: stage "a" requires input "model"',
    'm.yaml:3:27: stage train: unknown input "modle", did you mean "model"?',
    'm.yaml:3:57: parameter "lr" must be > 0, got -1',
    'm.yaml:3:65: unknown parameter "pases", did you mean "passes"?',
    'm.yaml:3:75: parameter "passes" must be a number, got "x"',
    'm.yaml:4:27: stage "a" (train) has no output "polcy", did you mean "policy"?',
    'm.yaml:4:43: input "state" must be state, got a.policy, which is model',
    'm.yaml:5:27: unknown input "bas", did you mean "base"?',
    'm.yaml:6:27: input "model" must be one value, got a list',
    'm.yaml:7:27: input "models" must be a map of names to references, got "a.policy"',
    'm.yaml:8:27: input "models" must be model, got a.checkpoints, which is models',
    'm.yaml:8:59: "every" is allowed only inside an iterate block',
    'm.yaml:9:27: "carry.x" is outside an iterate block',
    'm.yaml:10:27: unknown stage "nothing", known are a, b, c, d, e, f, g, h, inputs',
    'm.yaml:11:12: stage "a" (train) has no output "policy.x", did you mean "policy"?',
    'm.yaml:11:32: a reference must be inputs.NAME, STAGE.OUTPUT, BLOCK.STAGE.OUTPUT, BLOCK.NAME, BLOCK.best.NAME or carry.NAME, got "e"',
  ]);
});

Deno.test("makeBlueprint() names the new name of a renamed parameter", async () => {
  const problems = await problemsOf(`inputs: { base: base }
stages: { a: { uses: train, in: { model: inputs.base }, with: { rounds: 2 } } }`);
  assertEquals(problems, ['m.yaml:2:65: unknown parameter "rounds": it is now "passes"']);
});

Deno.test("makeBlueprint() checks loops: carry, next, until, every and lists", async () => {
  const problems = await problemsOf(`stages:
  a: { uses: train, in: { model: inputs.base } }
  loop:
    iterate: { count: 3, carry: { policy: null, lost: a.state }, until: { metric: train.policy.x, above: 0 } }
    stages:
      train: { uses: train, in: { model: carry.policy }, every: 2 }
      often: { uses: train, in: { model: train.policy } }
    next: { policy: train.policy, new: a.policy }
  z: { uses: train, in: { model: loop.train.policy } }
  y: { uses: judge, in: { models: { a: loop.policy }, metrics: loop.metrics } }
inputs: { base: base }
outputs: { policies: loop.often.policy }`);
  assertEquals(problems, [
    'm.yaml:4:49: "lost" is missing under "next"',
    'm.yaml:4:75: "metric" must name an output of "train" that is metrics@1 or evals@1 (metrics) as STAGE.OUTPUT.METRIC, got "train.policy.x"',
    'm.yaml:6:35: input "model" is required, but carry.policy starts from null',
    'm.yaml:6:58: next.policy requires "train" in every iteration',
    'm.yaml:7:35: "train" runs every 2 iterations: "often" cannot read it every 1',
    'm.yaml:8:35: "new" is missing under "carry" (null: no initial value)',
    'm.yaml:9:27: input "model" must be one value, got the list of all outputs of block "loop"',
    'm.yaml:10:55: "loop.metrics" requires exactly one stage with an output "metrics", got train and often',
    'm.yaml:12:12: "loop.often.policy" is a list: an output must be one value',
  ]);
});

Deno.test("makeBlueprint() plans the best iteration of a loop: its metric and its values", async () => {
  const { entries, outputs } = await plan(`inputs: { base: base }
stages:
  loop:
    iterate:
      count: 3
      carry: { policy: inputs.base, state: null }
      until: { metric: judge.evals.score, model: b, mode: sampled, above: 1 }
      best: { metric: train.metrics.reward, goal: min, take: carry }
    stages:
      train: { uses: train, in: { model: carry.policy } }
      judge: { uses: judge, in: { models: { a: carry.policy, b: train.policy } }, every: 2 }
    next: { policy: train.policy, state: train.state }
  after: { uses: train, in: { model: loop.best, state: loop.best.state } }
outputs: { policy: loop.best.policy }`);
  const loop = entries[0] as IteratePlan;
  const [train, judge] = loop.stages;
  assertEquals(loop.best, {
    metric: { stage: train!, port: "metrics", metric: "reward" },
    goal: "min",
    take: "carry",
  });
  assertEquals(loop.until, {
    metric: { stage: judge!, port: "evals", metric: "score", row: { model: "b", mode: "sampled" } },
    above: 1,
  });
  assertEquals(outputs.policy, { from: "best", block: loop, name: "policy" });
  const after = entries[1] as StagePlan;
  assertEquals(after.bindings.model, { kind: "one", reference: outputs.policy! });
});

Deno.test("makeBlueprint() refuses metrics and best iterations that do not exist", async () => {
  const loop = (best: string, more = "") =>
    `  ${more || "x"}:
    iterate: { count: 3, carry: { policy: inputs.base }, best: ${best} }
    stages:
      train: { uses: train, in: { model: carry.policy } }
      judge: { uses: judge, in: { models: { policy: train.policy, start: carry.policy } } }
    next: { policy: train.policy }`;
  const problems = await problemsOf(`inputs: { base: base }
stages:
${loop("{ metric: jugde.evals.score }", "a")}
${loop("{ metric: judge.evls.score, model: policy }", "b")}
${loop("{ metric: judge.evals.score }", "c")}
${loop("{ metric: judge.evals.score, model: polcy }", "d")}
${loop("{ metric: train.metrics.reward, model: policy, mode: greedy }", "e")}
  f:
    iterate: { count: 3, carry: { best: inputs.base }, best: { metric: train.metrics.reward } }
    stages: { train: { uses: train, in: { model: carry.best } }, best: { uses: train, in: { model: carry.best } } }
    next: { best: train.policy }
  g: { iterate: { count: 3, best: { metric: t.metrics.x } }, stages: { t: { uses: train, in: { model: inputs.base } } } }
  h: { uses: train, in: { model: d.best.critic } }
  i: { uses: train, in: { model: x.best.policy } }
  x:
    iterate: { count: 3, carry: { policy: inputs.base } }
    stages: { train: { uses: train, in: { model: carry.policy } } }
    next: { policy: train.policy }`);
  assertEquals(problems, [
    'm.yaml:4:66: block "a": unknown stage "jugde", did you mean "judge"?',
    'm.yaml:10:66: "metric" must name an output of "judge" that is metrics@1 or evals@1 (evals) as STAGE.OUTPUT.METRIC, got "judge.evls.score"',
    'm.yaml:16:66: "model" is required, as "judge" evaluates several: policy, start',
    'm.yaml:22:93: "judge" does not evaluate model "polcy", did you mean "policy"?',
    'm.yaml:28:96: "model" selects a row of evals@1, but train.metrics is metrics@1',
    'm.yaml:28:111: "mode" selects a row of evals@1, but train.metrics is metrics@1',
    'm.yaml:35:66: "f.best" is the best iteration: use another name for the stage',
    'm.yaml:36:13: "f.best" is the best iteration: use another carried name',
    'm.yaml:36:13: "best" is also a stage of the block: use another carried name',
    'm.yaml:37:29: "best" requires a carried value under "next"',
    'm.yaml:38:27: block "d" does not carry "critic", known are policy',
    'm.yaml:39:27: block "x" has no best iteration: "iterate" must have "best"',
  ]);
});

Deno.test("makeBlueprint() refuses a best iteration that may start from null if a value is required", async () => {
  const problems = await problemsOf(`inputs: { base: base }
stages:
  loop:
    iterate: { count: 3, carry: { policy: null }, best: { metric: train.metrics.x, take: carry } }
    stages: { train: { uses: train, in: { model: inputs.base } } }
    next: { policy: train.policy }
  after: { uses: train, in: { model: loop.best } }`);
  assertEquals(problems, ['m.yaml:7:31: input "model" is required, but carry.policy starts from null']);
});

Deno.test("makeBlueprint() names cycles, of entries and within a block", async () => {
  const problems = await problemsOf(`stages:
  a: { uses: train, in: { model: b.policy } }
  b: { uses: train, in: { model: a.policy } }
  loop:
    foreach: { count: 2 }
    stages:
      x: { uses: train, in: { model: y.policy } }
      y: { uses: train, in: { model: x.policy } }`);
  assertEquals(problems, [
    "m.yaml:2:3: stages must not read from themselves: a reads b reads a",
    "m.yaml:7:7: stages must not read from themselves: x reads y reads x",
  ]);
});

Deno.test("makeBlueprint() names an input that is not given", async () => {
  const problems = await problemsOf(
    "inputs: { base: null }\nstages: { a: { uses: train, in: { model: inputs.base } } }",
    {
      base: null,
    },
  );
  assertEquals(problems, ['m.yaml:2:35: input "base" is not given: --input base=PATH']);
});

Deno.test("makeBlueprint() accepts directories of models in a list of models, alone, mixed and of copies", async () => {
  const blueprint = await plan(`inputs: { base: base }
stages:
  a: { uses: train, in: { model: inputs.base } }
  copies: { foreach: { count: 2 }, stages: { b: { uses: train, in: { model: inputs.base } } } }
  c: { uses: choose, in: { from: a.checkpoints } }
  d: { uses: choose, in: { from: [a.checkpoints, a.policy, copies.b.checkpoints] } }
outputs: { checkpoints: a.checkpoints }`);
  const chooses = blueprint.entries.filter((entry): entry is StagePlan =>
    !isBlock(entry) && entry.stage.id === "choose"
  );
  assertEquals(
    chooses.map(({ bindings }) => {
      const { from } = bindings;
      return from?.kind === "list" &&
        from.references.map((r) => r.from === "stage" || r.from === "all" ? r.port : r.from);
    }),
    [["checkpoints"], ["checkpoints", "policy", "checkpoints"]],
  );
});

Deno.test("makeBlueprint() refuses parameters whose inputs are not bound, not given, or never written", async () => {
  const problems = await problemsOf(
    `inputs: { base: base, late: null }
stages:
  none: { uses: choose }
  lacking: { uses: choose, with: { passes: 3 } }
  given: { uses: choose, in: { from: [none.steps, inputs.base], critic: inputs.late }, with: { passes: 2 } }
  unwritten: { uses: choose, in: { from: [none.steps], critic: inputs.base }, with: { passes: 2 } }
  unread: { uses: choose, in: { from: none.steps } }
  loop:
    iterate: { count: 2, carry: { critic: null } }
    stages:
      free: { uses: choose, in: { critic: carry.critic } }
      held: { uses: choose, in: { from: inputs.base, critic: carry.critic }, with: { passes: 2 } }
    next: { critic: free.critic }`,
    { base: "/base", late: null },
  );
  assertEquals(problems, [
    'm.yaml:4:3: stage "lacking" requires input "from", for passes=3',
    'm.yaml:4:3: stage "lacking" requires input "critic", for passes=3',
    'm.yaml:5:65: input "late" is not given: --input late=PATH',
    'm.yaml:6:36: input "from" is required, for passes=2, but its source is not written: none.steps (passes=1)',
    'm.yaml:12:54: input "critic" is required, for passes=2, but carry.critic starts from null',
  ]);
});
