import { assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { defineStage, type Ports, type Stage } from "@/lib/contracts/stage.ts";
import { ManifestError } from "@/lib/tensor/errors.ts";
import { type Blueprint, isBlock, type IteratePlan, type StagePlan, type StageSource } from "./blueprint.ts";
import { parseManifest } from "./manifest_reader.ts";
import { makeBlueprint } from "./plan.ts";

function fake(id: string, inputs: Ports, outputs: Ports): Stage {
  const params = z.strictObject({
    lr: z.number().positive().default(1e-3).describe("rate"),
    rounds: z.int().min(1).default(1).describe("rounds"),
  });
  return defineStage({
    id,
    summary: id,
    params,
    inputs,
    outputs,
    random: true,
    run: () => Promise.resolve(),
  });
}

const MODEL = { contract: "model", description: "a model" } as const;
const METRICS = { contract: "metrics@1", description: "figures" } as const;
const ALL: Stage[] = [
  fake("train", { model: MODEL, state: { contract: "state", description: "s", optional: true } }, {
    policy: MODEL,
    state: { contract: "state", description: "s" },
    metrics: METRICS,
    checkpoints: { contract: "models", description: "on the way" },
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
      steps: { contract: "models", description: "on the way", optional: true },
    }),
    needs: ({ rounds }) =>
      (rounds as number) > 1 ? { from: `rounds=${rounds}`, critic: `rounds=${rounds}` } : {},
    omits: ({ rounds }) => rounds === 1 ? { steps: "rounds=1" } : {},
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
  b: { uses: train, in: { model: inputs.base }, with: { rounds: 2 }, seed: other }`);
  assertEquals(blueprint.entries.map((entry) => entry.name), ["b", "loop", "judge"]);
  const b = blueprint.entries[0]!;
  assertEquals(!isBlock(b) && [b.params, b.seedLabel], [{ lr: 1e-3, rounds: 2 }, "other"]);
  assertEquals(blueprint.warnings, ['input "spare" is not used']);
});

Deno.test("makeBlueprint() lists unknown programs with the nearest name", async () => {
  assertEquals(await problemsOf("stages: { a: { uses: tran }, b: { uses: jugde } }"), [
    'm.yaml:1:16: there is no stage program "tran", did you mean "train"?',
    'm.yaml:1:35: there is no stage program "jugde", did you mean "judge"?',
  ]);
});

Deno.test("makeBlueprint() lists wrong ports, references, contracts, parameters and outputs at once", async () => {
  const problems = await problemsOf(`inputs: { base: base }
stages:
  a: { uses: train, in: { modle: inputs.base }, with: { lr: -1, round: 2, rounds: x } }
  b: { uses: train, in: { model: a.polcy, state: a.policy } }
  c: { uses: train, in: { model: inputs.bas } }
  d: { uses: train, in: { model: [a.policy] } }
  e: { uses: judge, in: { models: a.policy } }
  f: { uses: judge, in: { models: { x: a.checkpoints } }, every: 2 }
  g: { uses: train, in: { model: carry.x } }
  h: { uses: train, in: { model: nothing.policy } }
outputs: { policy: a.policy.x, evals: e }`);
  assertEquals(problems, [
    'm.yaml:3:3: stage "a" needs input "model" under "in"',
    'm.yaml:3:27: stage train has no input "modle", did you mean "model"?',
    'm.yaml:3:57: parameter "lr" must be > 0',
    'm.yaml:3:65: there is no parameter "round", did you mean "rounds"?',
    'm.yaml:3:75: parameter "rounds" must be a number: it is a text',
    'm.yaml:4:27: stage "a" (train) has no output "polcy", did you mean "policy"?',
    'm.yaml:4:43: input "state" takes state: a.policy is model',
    'm.yaml:5:27: there is no input "bas", did you mean "base"?',
    'm.yaml:6:27: input "model" takes one value: it is a list',
    'm.yaml:7:27: input "models" takes a map of names to references: it is "a.policy"',
    'm.yaml:8:27: input "models" takes model: a.checkpoints is models',
    'm.yaml:8:59: "every" has a meaning inside an iterate block only',
    'm.yaml:9:27: "carry.x" stands outside an iterate block',
    'm.yaml:10:27: there is no stage "nothing", known are a, b, c, d, e, f, g, h, inputs',
    'm.yaml:11:12: stage "a" (train) has no output "policy.x", did you mean "policy"?',
    'm.yaml:11:32: "e" must be inputs.NAME, STAGE.OUTPUT, BLOCK.STAGE.OUTPUT, BLOCK.NAME, BLOCK.best.NAME or carry.NAME',
  ]);
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
    'm.yaml:4:49: "next" must say what "lost" becomes',
    'm.yaml:4:75: "train.policy.x" must be STAGE.OUTPUT.METRIC where OUTPUT of "train" is metrics@1 or evals@1: those are metrics',
    'm.yaml:6:35: input "model" is needed, but carry.policy starts from null',
    'm.yaml:6:58: next.policy needs "train" in every round',
    'm.yaml:7:35: "train" runs every 2 rounds: "often" cannot read it every 1',
    'm.yaml:8:35: "carry" must say what "new" starts from (null: nothing)',
    'm.yaml:9:27: input "model" takes one value: the outputs of block "loop" are a list',
    'm.yaml:10:55: "loop.metrics" needs one stage with a metrics output: train and often have one',
    'm.yaml:12:12: "loop.often.policy" is a list: name one output, such as one that next carries',
  ]);
});

Deno.test("makeBlueprint() knows the best round of a loop: its figure, and what it gives", async () => {
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
    figure: { stage: train!, port: "metrics", metric: "reward" },
    goal: "min",
    take: "carry",
  });
  assertEquals(loop.until, {
    figure: { stage: judge!, port: "evals", metric: "score", row: { model: "b", mode: "sampled" } },
    above: 1,
  });
  assertEquals(outputs.policy, { from: "best", block: loop, name: "policy" });
  const after = entries[1] as StagePlan;
  assertEquals(after.bindings.model, { kind: "one", reference: outputs.policy! });
});

Deno.test("makeBlueprint() refuses figures and best rounds that nothing gives", async () => {
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
    'm.yaml:4:66: block "a" has no stage "jugde", did you mean "judge"?',
    'm.yaml:10:66: "judge.evls.score" must be STAGE.OUTPUT.METRIC where OUTPUT of "judge" is metrics@1 or evals@1: those are evals',
    'm.yaml:16:66: "model" must say which model of "judge" counts: policy, start',
    'm.yaml:22:93: "judge" evaluates no model "polcy", did you mean "policy"?',
    'm.yaml:28:96: "model" chooses among rows of evals@1: train.metrics is metrics@1',
    'm.yaml:28:111: "mode" chooses among rows of evals@1: train.metrics is metrics@1',
    'm.yaml:35:66: "f.best" is the best round: the name of a stage must differ',
    'm.yaml:36:13: "f.best" is the best round: a carried name must differ',
    'm.yaml:36:13: "best" is a stage of the block as well: a carried name must differ',
    'm.yaml:37:29: "best" has a meaning where "next" carries something',
    'm.yaml:38:27: block "d" carries no "critic", known are policy',
    'm.yaml:39:27: block "x" has no best round: "iterate" must say by which metric, under "best"',
  ]);
});

Deno.test("makeBlueprint() refuses to start a best round from null where a value is needed", async () => {
  const problems = await problemsOf(`inputs: { base: base }
stages:
  loop:
    iterate: { count: 3, carry: { policy: null }, best: { metric: train.metrics.x, take: carry } }
    stages: { train: { uses: train, in: { model: inputs.base } } }
    next: { policy: train.policy }
  after: { uses: train, in: { model: loop.best } }`);
  assertEquals(problems, ['m.yaml:7:31: input "model" is needed, but carry.policy starts from null']);
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

Deno.test("makeBlueprint() asks for an input that is not given", async () => {
  const problems = await problemsOf(
    "inputs: { base: null }\nstages: { a: { uses: train, in: { model: inputs.base } } }",
    {
      base: null,
    },
  );
  assertEquals(problems, ['m.yaml:2:35: input "base" is not given: --input base=PATH']);
});

Deno.test("makeBlueprint() lets a list of models read directories of models, alone, mixed and of copies", async () => {
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
  lacking: { uses: choose, with: { rounds: 3 } }
  given: { uses: choose, in: { from: [none.steps, inputs.base], critic: inputs.late }, with: { rounds: 2 } }
  unwritten: { uses: choose, in: { from: [none.steps], critic: inputs.base }, with: { rounds: 2 } }
  unread: { uses: choose, in: { from: none.steps } }
  loop:
    iterate: { count: 2, carry: { critic: null } }
    stages:
      free: { uses: choose, in: { critic: carry.critic } }
      held: { uses: choose, in: { from: inputs.base, critic: carry.critic }, with: { rounds: 2 } }
    next: { critic: free.critic }`,
    { base: "/base", late: null },
  );
  assertEquals(problems, [
    'm.yaml:4:3: stage "lacking" needs input "from" under "in", for rounds=3',
    'm.yaml:4:3: stage "lacking" needs input "critic" under "in", for rounds=3',
    'm.yaml:5:65: input "late" is not given: --input late=PATH',
    'm.yaml:6:36: input "from" is needed, for rounds=2, but what it reads is not written: none.steps (rounds=1)',
    'm.yaml:12:54: input "critic" is needed, for rounds=2, but carry.critic starts from null',
  ]);
});
