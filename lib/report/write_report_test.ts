import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type DifferenceOfModels, writeDifferences } from "@/lib/data/contracts/differences.ts";
import { writeEvals } from "@/lib/data/contracts/evals.ts";
import type { RunResult } from "@/lib/data/contracts/events.ts";
import { writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { writeSamples } from "@/lib/data/contracts/samples.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { buildReport, thinned } from "./build_report.ts";
import {
  EXAMPLE_ENVIRONMENT,
  exampleComparison,
  exampleReport,
  exampleResult,
  exampleRewards,
  exampleSamples,
} from "@/tests/report/example_report.ts";
import { exampleEvents } from "@/tests/report/example_run.ts";
import { ReportSchema } from "./report_schema.ts";
import { summaryOf } from "./summary.ts";
import { summary, writeReport } from "./write_report.ts";

const UPDATES = [
  { stage: "sft", index: null, updates: 252 },
  { stage: "members.sft", index: 0, updates: 252 },
  { stage: "members.sft", index: 1, updates: 252 },
  { stage: "ppo.update", index: null, updates: 136 },
  { stage: "continued", index: null, updates: 136 },
];
const MODELS = [
  { name: "base", base: true },
  { name: "sft", base: false },
  { name: "continued_sft", base: false },
  { name: "srppo", base: false },
];

/** A difference as the eval stage writes it. */
const EXAMPLE_DIFFERENCE: DifferenceOfModels = {
  model: "srppo",
  against: "continued_sft",
  mode: "greedy",
  metric: "score",
  mean: 0.811 - 0.733,
  low: 0.04,
  high: 0.116,
  n: 256,
  method: "paired",
};

/** Rewards of the tokens of every response. */
const TOKENS: [string, number][] = [[" Tim", 0.5], ["</s>", -0.75]];

/** Calls `use` with the invented run and real files for its outputs, in a temporary directory. */
async function withRun(use: (result: RunResult) => Promise<void>): Promise<void> {
  const runDir = await Deno.makeTempDir({ prefix: "report-" });
  try {
    const { result, metrics } = exampleResult();
    const nodes = [];
    for (const [i, node] of result.nodes.entries()) {
      const outputs: Record<string, string> = {};
      const path = (port: string) => outputs[port] = `${runDir}/${i}-${port}`;
      const rows = metrics.get(node);
      if (rows !== undefined) await writeMetrics(path("metrics"), rows);
      if (node.role === "data") {
        const words = new Map(exampleSamples().map((s) => [s.prompt_id, s.words]));
        const prompts = [...words].map(([id, words]) => ({
          id,
          promptIds: Int32Array.of(1, 2),
          meta: JSON.stringify({ words }),
        }));
        await writePrompts(path("eval_prompts"), { rows: prompts, tokenizerDigest: "none:512" });
      }
      if (node.role === "reward") {
        const [{ stage: _, name: __, ...found }] = exampleRewards() as [
          ReturnType<typeof exampleRewards>[number],
        ];
        await Deno.mkdir(path("report"));
        await Deno.writeTextFile(
          `${outputs["report"]}/report.json`,
          JSON.stringify({ combine: "mean", ...found }),
        );
      }
      if (node.role === "evaluate") {
        await writeEvals(path("evals"), exampleComparison());
        await writeDifferences(path("differences"), [EXAMPLE_DIFFERENCE]);
        const rows = exampleSamples().map((s) => ({
          model: s.model,
          mode: s.mode,
          promptId: s.prompt_id,
          prompt: s.prompt,
          response: s.response,
          finishReason: s.finish_reason as "eos" | "length",
          scores: JSON.stringify({ ...s.scores, note: "no number", right: true, token_rewards: TOKENS }),
        }));
        await writeSamples(path("samples"), rows);
      }
      const params = node.role === "reward"
        ? { combine: "mean", floor: -4, token_cap: 1, eos_bound: 10 }
        : node.params;
      const inputs = node.role === "reward" ? { members: ["m0", "m1", "m2", "m3"] } : node.inputs;
      nodes.push({ ...node, params, inputs, outputs });
    }
    await use({ ...result, runDir, nodes, outputs: { policy: `${runDir}/outputs/policy` } });
  } finally {
    await Deno.remove(runDir, { recursive: true });
  }
}

Deno.test("writeReport() writes a report.json that follows its schema and holds what the stages wrote", async () => {
  await withRun(async (result) => {
    await writeReport(result, exampleEvents({ iterations: 20 }));
    const report = ReportSchema.parse(JSON.parse(await Deno.readTextFile(`${result.runDir}/report.json`)));
    assertEquals(report.comparison, exampleComparison());
    assertEquals(report.samples[0]!.words, ["Tim", "plane"]);
    assertEquals(report.samples[0]!.token_rewards, TOKENS);
    const html = await Deno.readTextFile(`${result.runDir}/report.html`);
    assertStringIncludes(
      html,
      '<details class="rewards" open><summary>Reward per token: −0.25 in 2 tokens</summary>',
    );
    assertEquals(report.samples[0]!.scores, { both_words: 0, right: 1, score: 0 });
    assertEquals(report.iterations.length, 20);
    assertEquals(report.iterations[0]!["reward"], 32);
    assertEquals(report.iterations[0]!["tokens_per_second"], 2310);
    assertEquals(report.updates, UPDATES);
    assertEquals(report.models, MODELS);
    assertEquals(report.rewards, exampleRewards());
    const isScore = (d: { against: string; mode: string; metric: string }) =>
      d.against === "continued_sft" && d.mode === "greedy" && d.metric === "score";
    assertEquals(report.differences.filter(isScore), [EXAMPLE_DIFFERENCE]);
    assertEquals(
      report.findings[1],
      "SRPPO − continued SFT, score, greedy decoding: +0.078, 95 % interval +0.040 to +0.116, better",
    );
    assertEquals(report.timings.filter((t) => t.iteration === 3).map((t) => t.stage), [
      "ppo.rollout",
      "ppo.score",
      "ppo.update",
    ]);
    assertEquals(report.timings[0], {
      stage: "tokenize",
      uses: "tokenize",
      index: null,
      iteration: null,
      seconds: 0.9,
      tokens: null,
      tokens_per_second: null,
      cached: true,
    });
    assertEquals([report.environment.threads, report.environment.executor], [2, "inline"]);
    assertEquals([report.environment.instruction_set, report.environment.onnxruntime], [null, "1.30.0"]);
    assertEquals(report.outputs, { policy: "outputs/policy" });
    const page = await Deno.readTextFile(`${result.runDir}/report.html`);
    assertStringIncludes(
      page,
      "SRPPO beats continued SFT, the best of the other models: score 0.811 vs. 0.733",
    );
    assertEquals([...Deno.readDirSync(result.runDir)].filter((e) => e.name.endsWith(".tmp")), []);
  });
});

Deno.test("writeReport() compares what came out in the end, not the evaluations inside a loop", async () => {
  await withRun(async (result) => {
    const last = result.nodes.find((n) => n.role === "evaluate")!;
    const inside = { ...last, stage: "ppo.eval", iteration: 4, key: "inside" };
    await writeReport({ ...result, nodes: [...result.nodes, inside] }, []);
    const report = ReportSchema.parse(JSON.parse(await Deno.readTextFile(`${result.runDir}/report.json`)));
    assertEquals(report.comparison, exampleComparison());
    assertEquals(report.timings.at(-1)!.stage, "ppo.eval");
  });
});

Deno.test("writeReport() has evaluations inside a loop by iteration, with a curve for each metric, and the best iteration", async () => {
  await withRun(async (result) => {
    const last = result.nodes.find((n) => n.role === "evaluate")!;
    const iterations = await Promise.all([[9, 0.7], [4, 0.5], [19, 0.6]].map(async ([iteration, mean]) => {
      const evals = `${result.runDir}/evals-${iteration}`;
      const row = { model: "policy", mode: "greedy", stderr: 0.1, n: 3 } as const;
      await writeEvals(evals, [{ ...row, metric: "score", mean: mean! }, {
        ...row,
        metric: "eos_rate",
        mean: 1,
      }]);
      return { ...last, stage: "ppo.eval", iteration: iteration!, outputs: { evals } };
    }));
    const best = [{ block: "ppo", iteration: 9, metric: "eval.score of policy, greedy", value: 0.7 }];
    await writeReport({ ...result, best, nodes: [...result.nodes, ...iterations] }, []);
    const report = ReportSchema.parse(JSON.parse(await Deno.readTextFile(`${result.runDir}/report.json`)));
    assertEquals(report.best, best);
    const scores = report.evaluations.filter((row) => row.metric === "score");
    assertEquals(scores.map((row) => [row.iteration, row.mean]), [[4, 0.5], [9, 0.7], [19, 0.6]]);
    assertEquals(scores[0], {
      stage: "ppo.eval",
      iteration: 4,
      model: "policy",
      mode: "greedy",
      metric: "score",
      mean: 0.5,
      stderr: 0.1,
      n: 3,
    });
    const page = await Deno.readTextFile(`${result.runDir}/report.html`);
    assertStringIncludes(page, "<b>Score in evaluation</b><output>0.500 → 0.600</output>");
    assertStringIncludes(page, "The best PPO iteration is 10 (eval.score of policy, greedy = 0.700).");
  });
});

Deno.test("writeReport() has tokens per second of every kind of stage that reported its tokens", async () => {
  await withRun(async (result) => {
    // Two of the twenty iterations report tokens, as those of an older store do not; sft reports them in all of its runs.
    const nodes = result.nodes.map((node) => {
      if (node.uses === "sft") return { ...node, tokens: 124_000 };
      return node.uses === "ppo-update" && node.iteration! < 2 ? { ...node, tokens: 4200 } : node;
    });
    await writeReport({ ...result, nodes }, []);
    const report = ReportSchema.parse(JSON.parse(await Deno.readTextFile(`${result.runDir}/report.json`)));
    const phase = (uses: string) => report.phases.find((row) => row.uses === uses)!;
    assertEquals(phase("sft"), {
      uses: "sft",
      stages: 4,
      cached: 0,
      seconds: 49.6,
      tokens: 496_000,
      tokens_per_second: 10_000,
    });
    assertEquals([phase("ppo-update").tokens, phase("ppo-update").tokens_per_second], [8400, 2000]);
    assertEquals([phase("eval").tokens, phase("eval").tokens_per_second], [null, null]);
    const [first] = report.timings.filter((row) => row.uses === "ppo-update");
    assertEquals([first!.tokens, first!.tokens_per_second], [4200, 2000]);
    const page = await Deno.readTextFile(`${result.runDir}/report.html`);
    assertStringIncludes(page, "<small>10,000 tokens/s</small> 50 s");
  });
});

Deno.test("writeReport() and summary() take a run that only trained", async () => {
  await withRun(async (result) => {
    const trained = { ...result, nodes: result.nodes.slice(0, 2) };
    await writeReport(trained, []);
    const report = ReportSchema.parse(JSON.parse(await Deno.readTextFile(`${result.runDir}/report.json`)));
    assertEquals([report.comparison, report.iterations, report.samples], [[], [], []]);
    assertEquals(report.updates, UPDATES.slice(0, 1));
    assertStringIncludes(
      summary(trained),
      "Run finished; no models were compared\n\ntime     1 min 36 s",
    );
  });
});

Deno.test("writeReport() refuses scores that are no JSON objects, with file and row", async () => {
  await withRun(async (result) => {
    const node = result.nodes.find((n) => n.role === "evaluate")!;
    const row = {
      model: "sft",
      mode: "greedy",
      promptId: "a",
      prompt: "",
      response: "",
      finishReason: "eos",
    } as const;
    await writeSamples(node.outputs["samples"]!, [{ ...row, scores: "{}" }, { ...row, scores: "[1]" }]);
    const error = await assertRejects(() => writeReport(result, []), DataError);
    assertEquals(
      error.message,
      `${node.outputs["samples"]}: column "scores", row 1, must be a JSON object, got "[1]"`,
    );
  });
});

Deno.test("writeReport() says when the run directory cannot be written", async () => {
  await withRun(async (result) => {
    await Deno.writeTextFile(`${result.runDir}/file`, "");
    const runDir = `${result.runDir}/file/run`;
    const error = await assertRejects(() => writeReport({ ...result, runDir }, []), UsageError);
    assertStringIncludes(error.message, `${runDir}/report.json`);
  });
});

Deno.test("summary() holds the result, the table, three prompts with each response, times and files", async () => {
  await withRun((result) => {
    const text = summary(result);
    assert(
      text.startsWith(
        "SRPPO beats continued SFT, the best of the other models: score 0.811 vs. 0.733 (greedy decoding)",
      ),
    );
    assertStringIncludes(
      text,
      "│                 │            base │             SFT │   continued SFT │           SRPPO │\n",
    );
    assertStringIncludes(
      text,
      "│ score ↑         │         0.000   │ 0.716 ± 0.019   │ 0.733 ± 0.019   │ 0.811 ± 0.017 * │\n",
    );
    assertStringIncludes(
      text,
      "│ base NLL ↓      │ 1.570 ± 0.021   │ 1.530 ± 0.020 * │ 1.570 ± 0.021   │ 1.740 ± 0.024   │\n",
    );
    assertStringIncludes(
      text,
      "  SRPPO          Emma loved the carrot very much. One day, Emma took the carrot to the park.\n",
    );
    assertEquals(text.match(/^Once upon a time/gm)!.length, 3);
    assertStringIncludes(text, "sft ×4 50 s, ppo-update ×20 42 s");
    assertStringIncludes(
      text,
      `policy   ${result.runDir}/outputs/policy\nreport   ${result.runDir}/report.html`,
    );
    // deno-lint-ignore no-control-regex -- without colours
    assertEquals(/[\x00-\x09\x0b-\x1f\x7f]/.test(text), false);
    return Promise.resolve();
  });
});

Deno.test("summaryOf() replaces control characters of a response and truncates long ones", () => {
  const samples = exampleSamples().map((s) => ({
    ...s,
    words: [],
    response: `\x1b[2J\x07${"long ".repeat(200)}`,
  }));
  const text = summaryOf(exampleReport({ samples }), "runs/x");
  // deno-lint-ignore no-control-regex -- control characters are what must be gone
  assertEquals(/[\x00-\x09\x0b-\x1f\x7f]/.test(text), false);
  assertStringIncludes(text, "�[2J�long long");
  assert(text.split("\n").every((line) => line.length <= 102), "no line is much wider than 100 characters");
  assertStringIncludes(text, " …\n");
});

Deno.test("summaryOf() shows what is known about the reward where there are no models to compare", () => {
  const found = "Members agree by 0.50 on which of two responses to a prompt is better.";
  const text = summaryOf(exampleReport({ comparison: [], samples: [] }), "runs/x");
  assertEquals(text.includes("benchmarks: mean"), false);
  assertStringIncludes(
    text,
    `reward\n  ${found}\n  Warning: the reward correlates with response length by 0.85`,
  );
  assertEquals(summaryOf(exampleReport(), "runs/x").includes(found), false);
});

Deno.test("buildReport() keeps the responses to eight prompts", () => {
  const { result, metrics } = exampleResult();
  const samples = Array.from({ length: 20 }, (_, i) => ({ ...exampleSamples()[0]!, prompt_id: `p${i}` }));
  const tables = {
    comparison: [],
    differences: [],
    benchmarks: [],
    evaluations: [],
    samples,
    metrics,
    rewards: [],
  };
  const report = buildReport(result, tables, { events: [], environment: EXAMPLE_ENVIRONMENT });
  assertEquals(report.samples.map((s) => s.prompt_id), ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"]);
});

Deno.test("thinned() averages neighbours and leaves short curves alone", () => {
  const points = [0, 1, 2, 3, 4].map((step) => ({ step, loss: 10 * step }));
  assertEquals(thinned(points, 5), points);
  assertEquals(thinned(points, 3), [{ step: 0.5, loss: 5 }, { step: 2.5, loss: 25 }, { step: 4, loss: 40 }]);
});

Deno.test("ReportSchema refuses unknown keys", () => {
  const report = exampleReport();
  assertEquals(ReportSchema.safeParse(report).success, true);
  assertEquals(ReportSchema.safeParse({ ...report, extra: 1 }).success, false);
});
