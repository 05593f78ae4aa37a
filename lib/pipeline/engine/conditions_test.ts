/** Tests stages and parameters that depend on what is given, and that what selects an iteration does not give the result. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { ManifestError } from "@/lib/compute/tensor/errors.ts";
import { defineStage, type Ports, type Stage } from "@/lib/data/contracts/stage.ts";
import type { Blueprint, StagePlan, StageSource } from "./blueprint.ts";
import { parseManifest } from "./manifest_reader.ts";
import { makeBlueprint } from "./plan.ts";

function fake(id: string, inputs: Ports, outputs: Ports): Stage {
  const params = z.strictObject({
    lr: z.number().positive().default(1e-3).describe("rate"),
    passes: z.int().min(1).default(1).describe("passes"),
  });
  const run = () => Promise.resolve();
  return defineStage({ id, summary: id, params, inputs, outputs, random: true, run });
}

const MODEL = { contract: "model", description: "a model" } as const;
const METRICS = { contract: "metrics@1", description: "metrics" } as const;
const ALL: Stage[] = [
  fake("train", { model: MODEL }, { policy: MODEL, metrics: METRICS }),
  fake("judge", {
    models: { ...MODEL, many: "map" },
    metrics: { ...METRICS, many: "list", optional: true },
  }, { evals: { contract: "evals@1", description: "scores" } }),
  {
    ...fake("choose", { from: { ...MODEL, many: "list" }, critic: MODEL }, {
      policy: MODEL,
      steps: { contract: "models", description: "intermediate checkpoints", optional: true },
    }),
    omits: ({ passes }) => passes === 1 ? { steps: "passes=1" } : {},
  },
  {
    ...fake("measure", {
      models: { ...MODEL, many: "map" },
      on: { contract: "prompts@1", description: "prompts", evidence: true },
    }, { evals: { contract: "evals@1", description: "scores" } }),
    role: "evaluate",
  },
  fake("split", {}, {
    prompts: { contract: "prompts@1", description: "prompts" },
    others: { contract: "prompts@1", description: "other prompts" },
  }),
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

Deno.test("a stage with `when` is left out of the plan if its input is not given or its output is omitted, and so are its readers", async () => {
  const text = `inputs: { base: base, judge: null }
stages:
  a: { uses: choose, in: { from: [inputs.base], critic: inputs.base }, with: { passes: 2 } }
  extra: { uses: train, when: inputs.judge, in: { model: inputs.judge } }
  later: { uses: judge, when: a.steps, in: { models: { own: inputs.base, more: extra.policy } } }
  both: { uses: judge, in: { models: { own: inputs.base, more: extra.policy }, metrics: [extra.metrics] } }`;
  const required =
    'input "models" is required, but stage "extra" runs only when its "when" has a value: "NAME" must have the same "when"';
  const onlyMore = text.replaceAll("own: inputs.base, ", "");
  assertEquals(
    (await problemsOf(onlyMore, { base: "/base", judge: "/judge" })).map((line) => line.replace(/^\S+ /, "")),
    ["later", "both"].map((name) => required.replace("NAME", name)),
  );
  const optional = text.replaceAll(", more: extra.policy", "");
  const entries = async (passes: number, judge: string | null) => {
    const changed = optional.replace("passes: 2", `passes: ${passes}`);
    return (await plan(changed, { base: "/base", judge })).entries.map((entry) => entry.name);
  };
  assertEquals(await entries(2, "/judge"), ["a", "extra", "later", "both"]);
  assertEquals(await entries(2, null), ["a", "later", "both"]);
  assertEquals(await entries(1, null), ["a", "both"]);
  const { entries: planned } = await plan(optional, { base: "/base", judge: null });
  assertEquals(Object.keys((planned.at(-1) as StagePlan).bindings), ["models"]);
});

Deno.test("`when` is refused inside of blocks, and must name an input or an output", async () => {
  const inLoop = await problemsOf(`inputs: { base: base }
stages:
  loop:
    foreach: { count: 2 }
    stages: { t: { uses: train, when: inputs.base, in: { model: inputs.base } } }
  after: { uses: judge, when: loop.t.policy, in: { models: { a: inputs.base } } }`);
  assertEquals(inLoop, [
    'm.yaml:5:33: "when" is allowed only outside of blocks',
    'm.yaml:6:25: "when" must name an input or an output of a stage outside of blocks',
  ]);
});

Deno.test("a parameter may depend on whether an input or another parameter is given", async () => {
  const text = (condition: string, other = "") =>
    `inputs: { base: base, checker: null }
stages:
  a: { uses: train, in: { model: inputs.base }, with: { passes: ${condition} } }
  b: { uses: train, in: { model: inputs.base }, with: { ${other} } }`;
  const passes = async (checker: string | null, other = "") => {
    const condition = "{ if_given: [inputs.checker, b.lr], then: 2, else: 3 }";
    const { entries } = await plan(text(condition, other), { base: "/base", checker });
    return (entries[0] as StagePlan).params.passes;
  };
  assertEquals([await passes(null), await passes("/c.ts"), await passes(null, "lr: 0.5")], [3, 2, 2]);
  const at = "m.yaml:3:57: ";
  for (
    const [condition, message] of [
      ["{ if_given: [inputs.cheker], then: 2, else: 3 }", 'unknown input "cheker", did you mean "checker"?'],
      ["{ if_given: [c.lr], then: 2, else: 3 }", 'if_given must name inputs.NAME or STAGE.PARAM, got "c.lr"'],
      [
        "{ if_given: inputs.checker, then: 2 }",
        'parameter "passes": a condition must have the keys if_given, then and else',
      ],
    ] as const
  ) {
    const [problem] = await problemsOf(text(condition), { base: "/base", checker: null });
    assertEquals(problem, `${at}${message}`);
  }
});

Deno.test("what selects an iteration or ends a loop never gives the result", async () => {
  const text = (decides: string, prompts: string) =>
    `inputs: { base: base, first: f, second: s }
stages:
  split: { uses: split }
  loop:
    iterate: { count: 3, carry: { policy: inputs.base }, ${decides} }
    stages:
      train: { uses: train, in: { model: carry.policy } }
      eval: { uses: measure, in: { models: { p: train.policy }, on: split.prompts } }
    next: { policy: train.policy }
  result: { uses: measure, in: { models: { p: loop.policy }, on: ${prompts} } }`;
  const best = "best: { metric: eval.evals.score }", until = "until: { metric: eval.evals.score, above: 1 }";
  const hint = "(selection_fraction of tokenize splits the evaluation prompts in two)";
  const message = (what: string) =>
    `m.yaml:10:62: input "on" must differ from that of "loop.eval", by which loop "loop" ${what}, got split.prompts for both ${hint}`;
  assertEquals(await problemsOf(text(best, "split.prompts")), [message("selects its best iteration")]);
  assertEquals(await problemsOf(text(until, "split.prompts")), [message("ends")]);
  for (const decides of [best, until, "publish: 1"]) await plan(text(decides, "split.others"));
  await plan(text("publish: 1", "split.prompts"));
  const sameFile = text(best, "inputs.second").replace("on: split.prompts", "on: inputs.first");
  assertEquals(
    (await problemsOf(sameFile, { base: "/base", first: "/same", second: "/same" })).length,
    1,
    "two inputs with the same path are the same data",
  );
  await plan(sameFile, { base: "/base", first: "/one", second: "/two" });
});
