/**
 * An invented finished experiment, for tests of its tables, its page and its text. Its numbers are those of the invented
 * run of lib/report, changed a little by seed, arm and point of the grid.
 * @module
 */
import type { Manifest } from "@/lib/pipeline/engine/manifest.ts";
import { parseManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { exampleReport } from "@/tests/report/example_report.ts";
import type { Report } from "@/lib/report/report_schema.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import { collectTables, type FinishedRun, type Tables } from "@/lib/pipeline/experiments/collect.ts";
import { type ExperimentSource, parseExperiment } from "@/lib/pipeline/experiments/experiment_reader.ts";
import {
  buildExperimentReport,
  type ExperimentReport,
} from "@/lib/pipeline/experiments/experiment_report.ts";
import { type ExperimentRuns, resolveRuns, type RunSpec } from "@/lib/pipeline/experiments/resolve_runs.ts";

/** Arms over one grid of sizes, with two controls and an arm of fewer seeds. */
export const EXAMPLE_EXPERIMENT = `
description: How many demonstrations does it take?
seeds: 4
manifest: main.yaml
control: [continued_sft, sft]
grid:
  demonstrations:
    - { value: 64, set: [tokenize.draw=64] }
    - { value: 256, set: [tokenize.draw=256] }
    - { value: 1024, set: [tokenize.draw=1024] }
arms:
  sft: { label: SFT, model: sft }
  continued_sft: { label: continued SFT, model: continued_sft }
  srppo_paper: { label: "SRPPO, paper", manifest: paper.yaml, seeds: 2 }
  srppo: { label: "SRPPO <bagged>" }
`;

/** The manifest of the invented experiment, as far as planning reads it. */
export const EXAMPLE_MANIFEST: Manifest = parseManifest(
  `
inputs: { base: base, demonstrations: demos.jsonl, prompts: null }
stages:
  tokenize: { uses: tokenize, in: { demonstrations: inputs.demonstrations, model: inputs.base } }
  sft: { uses: sft, in: { tokens: tokenize.train, model: inputs.base } }
  ppo:
    iterate: { count: 2 }
    stages: { rollout: { uses: rollout, in: { prompts: tokenize.prompts, policy: sft.policy } } }
  eval: { uses: eval, in: { models: { base: inputs.base, sft: sft.policy, continued_sft: sft.policy, srppo: ppo.policy } } }
`,
  "main.yaml",
).manifest;

/** All of an invented experiment. */
export interface ExampleExperiment {
  readonly source: ExperimentSource;
  readonly runs: ExperimentRuns;
  readonly finished: ReadonlyMap<RunSpec, FinishedRun>;
  readonly tables: Tables;
  readonly report: ExperimentReport;
}

/** Returns a number from −1 to 1, a function of the others. */
function wobble(...numbers: readonly number[]): number {
  return Math.sin(numbers.reduce((sum, n, k) => sum + n * (12.9898 + 7.1 * k), 1) * 43.7);
}

/** Returns the invented report of one run. */
function reportOf(run: RunSpec): Report {
  const report = exampleReport();
  const size = Number(/draw=(\d+)/.exec(run.settings.join())?.[1] ?? 1024);
  const gain = 0.04 * (Math.log2(size) - 10) - (run.manifest === "paper.yaml" ? 0.05 : 0);
  return {
    ...report,
    seed: run.seed,
    manifest: run.manifest,
    comparison: report.comparison.map((row, k) => ({
      ...row,
      mean: row.metric === "score" && row.model !== "base"
        ? row.mean + gain * (row.model === "srppo" ? 1.5 : 1) + 0.02 * wobble(run.seed, k)
        : row.mean,
    })),
    iterations: report.iterations.map((row, k) =>
      Object.assign({ ...row }, { reward: row["reward"]! + wobble(run.seed, k) })
    ),
    timings: report.timings.map((row) => ({ ...row, tokens: row.uses === "tokenize" ? null : 1200 })),
  };
}

/**
 * Returns the invented experiment.
 * @param text an experiment over `main.yaml` and `paper.yaml`
 * @param isDone which of its runs are done
 */
export async function exampleExperiment(
  text = EXAMPLE_EXPERIMENT,
  isDone: (run: RunSpec) => boolean = () => true,
): Promise<ExampleExperiment> {
  const source = parseExperiment(text, "example.yaml");
  const read = (path: string) => {
    if (path !== "main.yaml" && path !== "paper.yaml") {
      throw new UsageError(`Cannot read manifest ${path}: no such file`);
    }
    return Promise.resolve(EXAMPLE_MANIFEST);
  };
  const runs = await resolveRuns(source, { set: [] }, { root: "/project", read });
  const behind: Readonly<Record<string, readonly string[]>> = {
    base: [],
    sft: ["tokenize", "sft"],
    continued_sft: ["tokenize", "sft", "continued"],
    srppo: ["tokenize", "sft", "members.sft", "reward", "ppo.rollout", "ppo.score", "ppo.update"],
  };
  const finished = new Map(
    runs.runs.filter(isDone).map((run): [RunSpec, FinishedRun] => [run, {
      run,
      report: reportOf(run),
      stagesBehind: (model) => new Set(behind[model]),
    }]),
  );
  const tables = collectTables(source.name, runs.cells, finished);
  const done = new Set(finished.keys());
  return {
    source,
    runs,
    finished,
    tables,
    report: buildExperimentReport(source, runs, { tables, finished, done }),
  };
}
