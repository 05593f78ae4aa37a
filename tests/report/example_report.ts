/** Result and tables of the invented run, for tests of the report. @module */
import type { DecodingMode } from "@/lib/data/contracts/evals.ts";
import type { FinishedNode, RunResult } from "@/lib/data/contracts/events.ts";
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import type { ComparisonRow, ReportSample } from "@/lib/report/comparison.ts";
import { buildReport, type RunTables } from "@/lib/report/build_report.ts";
import { exampleEvents, exampleIteration } from "./example_run.ts";
import type { Environment, Report } from "@/lib/report/report_schema.ts";

const ITERATIONS = 20;
const N = 256;

const METRICS = ["score", "both_words", "eos_rate", "response_length", "kl_to_sft", "reward", "base_nll"];

type Means = readonly [greedy: number, sampled: number, stderr: number];

/** Means and standard errors per model, in the order of `METRICS`. */
const MEANS: Readonly<Record<string, readonly Means[]>> = {
  base: [[0, 0, 0], [0, 0, 0], [0, 0, 0], [56, 56, 0], [24.1, 25.76, 0.41], [-22.9, -25.8, 0.38], [
    0.61,
    1.57,
    0.021,
  ]],
  sft: [
    ...[[0.716, 0.632, 0.019], [0.467, 0.373, 0.03], [0.977, 0.942, 0.013], [38.7, 40.6, 0.6]] as const,
    ...[[0, 0, 0], [31.2, 32.1, 0.44], [0.71, 1.53, 0.02]] as const,
  ],
  continued_sft: [
    ...[[0.733, 0.656, 0.019], [0.497, 0.423, 0.03], [0.973, 0.939, 0.014], [38.9, 40.7, 0.6]] as const,
    ...[[1.1, 1.78, 0.11], [31.9, 32.6, 0.44], [0.73, 1.57, 0.021]] as const,
  ],
  srppo: [
    ...[[0.811, 0.681, 0.017], [0.648, 0.471, 0.031], [0.984, 0.938, 0.014], [40.2, 41.6, 0.7]] as const,
    ...[[3.2, 4.04, 0.16], [37.4, 37.9, 0.46], [0.84, 1.74, 0.024]] as const,
  ],
};

const PROMPTS = [
  ["Once upon a time, there was a little boy named Tim. He had a plane.", "Tim", "plane"],
  ["Once upon a time, there was a little girl named Lucy. She had a book.", "Lucy", "book"],
  ["Once upon a time, there was a little girl named Emma. She had a carrot.", "Emma", "carrot"],
] as const;

/** Returns rows of evals@1 as the eval stage writes them. */
export function exampleComparison(): ComparisonRow[] {
  return Object.entries(MEANS).flatMap(([model, means]) =>
    means.flatMap(([greedy, sampled, stderr], k) => [
      { model, mode: "greedy" as const, metric: METRICS[k]!, mean: greedy, stderr, n: N },
      { model, mode: "sampled" as const, metric: METRICS[k]!, mean: sampled, stderr, n: N },
    ])
  );
}

function respond(model: string, mode: DecodingMode, [, name, thing]: typeof PROMPTS[number]): string {
  const place = mode === "greedy" ? "park" : "lake";
  const responses: Readonly<Record<string, string>> = {
    base: ` ${name} liked to go to the ${place}. One day, a big bird came. The bird said, “Hello!” and`,
    sft: ` ${name} loved to play. One day, ${name} went to the ${place} with a friend.`,
    continued_sft: ` ${name} loved the ${place}. One day, the ${thing} was gone, and everyone was sad.`,
    srppo: ` ${name} loved the ${thing} very much. One day, ${name} took the ${thing} to the ${place}.`,
  };
  return responses[model]!;
}

/** Returns responses of all models to three prompts. */
export function exampleSamples(): ReportSample[] {
  const samples: ReportSample[] = [];
  for (const [i, row] of PROMPTS.entries()) {
    for (const model of Object.keys(MEANS)) {
      for (const mode of ["greedy", "sampled"] as const) {
        const response = respond(model, mode, row);
        const [prompt, ...words] = row;
        const ended = model !== "base";
        const score = ended ? words.filter((w) => new RegExp(`\\b${w}\\b`).test(response)).length / 2 : 0;
        const scores = { score, both_words: score === 1 ? 1 : 0 };
        const finish_reason = ended ? "eos" : "length";
        samples.push({ model, mode, prompt_id: `e000${i}`, prompt, words, response, finish_reason, scores });
      }
    }
  }
  return samples;
}

/** Digests of what the invented evaluation reads. */
const EVALUATED = {
  models: { base: "b0", sft: "s0", continued_sft: "c0", srppo: "p0" },
  base: "b0",
  sft: "s0",
};

/** Machine and software of the invented run. */
export const EXAMPLE_ENVIRONMENT: Environment = {
  cores: 2,
  threads: null,
  executor: null,
  os: "linux",
  arch: "x86_64",
  instruction_set: "avx512",
  onnxruntime: "1.30.0",
  deno: "2.9.6",
};

/** Returns the invented run as a driver would, with the metrics of its nodes; its paths do not exist. */
export function exampleResult(): { readonly result: RunResult; readonly metrics: RunTables["metrics"] } {
  const events = exampleEvents({ iterations: ITERATIONS });
  const metrics = new Map<FinishedNode, readonly MetricRow[]>();
  const nodes: FinishedNode[] = [];
  for (const e of events) {
    if (e.type !== "stage_finished") continue;
    const { stage, uses, role, index, iteration, key } = e;
    const params = role === "train"
      ? { epochs: 4, lr: 0.001, batch_size: 16 }
      : role === "update"
      ? { beta: 0.7 }
      : {};
    const seconds = role === "train" ? 12.4 : role === "update" ? 2.1 : 0.9;
    const place = {
      ...(role === undefined ? {} : { role }),
      ...(index === undefined ? {} : { index }),
      ...(iteration === undefined ? {} : { iteration }),
    };
    const inputs = role === "evaluate" ? EVALUATED : {};
    const cached = role === "data";
    const node = { stage, uses, ...place, key, cached, seconds, params, inputs, outputs: {} };
    nodes.push(node);
    if (role === "update") {
      const values = Object.entries(exampleIteration(iteration!, ITERATIONS));
      metrics.set(node, values.map(([name, value]) => ({ step: iteration!, name, value })));
    }
    if (role === "train") {
      const loss = Array.from({ length: stage === "continued" ? 136 : 252 }, (_, step) => {
        const noise = 0.03 * Math.sin(12.9898 * step + 3 * (index ?? 5)) * Math.cos(1.7 * step);
        return {
          step,
          name: "loss",
          value: (stage === "continued" ? 1.02 : 1.12 + 0.75 * Math.exp(-step / 35)) + noise,
        };
      });
      metrics.set(node, [...loss, { step: loss.length - 1, name: "updates", value: loss.length }]);
    }
  }
  const result: RunResult = {
    manifest: "pipelines/quickstart.yaml",
    runDir: "runs/quickstart",
    seed: 0,
    seconds: 96.2,
    nodes,
    best: [],
    outputs: {
      policy: "runs/quickstart/outputs/policy",
      reward: "runs/quickstart/outputs/reward",
      evals: "runs/quickstart/outputs/evals.arrow",
    },
  };
  return { result, metrics };
}

/** Returns what is known about the reward, with one warning. */
export function exampleRewards(): RunTables["rewards"] {
  return [{
    stage: "reward",
    name: "mean of 4 members, floor −4, token cap 1, EOS bound 10",
    warnings: [
      "the reward correlates with response length by 0.85 within prompts; length_norm removes that",
    ],
    sentences: ["Members agree by 0.50 on which of two responses to a prompt is better."],
  }];
}

/** Returns the invented report; `tables` replaces some of its tables. */
export function exampleReport(tables: Partial<RunTables> = {}): Report {
  const { result, metrics } = exampleResult();
  return buildReport(
    result,
    {
      comparison: exampleComparison(),
      differences: [],
      benchmarks: [],
      evaluations: [],
      samples: exampleSamples(),
      metrics,
      rewards: exampleRewards(),
      ...tables,
    },
    { events: exampleEvents({ iterations: ITERATIONS }), environment: EXAMPLE_ENVIRONMENT },
  );
}
