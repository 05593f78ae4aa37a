/** Builds a report from a finished run and the tables that it wrote. Pure: `read_run_tables.ts` reads the tables. @module */
import type { DifferenceOfModels } from "@/lib/data/contracts/differences.ts";
import type { FinishedNode, NodeName, RunEvent, RunResult } from "@/lib/data/contracts/events.ts";
import type { MetricRow } from "@/lib/data/contracts/metrics.ts";
import { type ComparisonRow, differences, modelsOf, type ReportSample } from "./comparison.ts";
import { headline } from "./headline.ts";
import { phasesOf } from "./phases.ts";
import type { Environment, Report } from "./report_schema.ts";
import { blockOf, isComparison } from "./run_tracker.ts";
import { runWarnings } from "./warnings_section.ts";

/** Tables of a run that the report needs. */
export interface RunTables {
  readonly comparison: readonly ComparisonRow[];
  /** of all pairs of compared models, on the same prompts */
  readonly differences: readonly DifferenceOfModels[];
  readonly benchmarks: Report["benchmarks"];
  /** of the evaluations inside loops */
  readonly evaluations: Report["evaluations"];
  /** all samples of the comparison, with the words that a checker looks for */
  readonly samples: readonly ReportSample[];
  /** by node, in the order of the file; nodes without metrics are absent */
  readonly metrics: ReadonlyMap<FinishedNode, readonly MetricRow[]>;
  /** what is known about each reward */
  readonly rewards: Report["rewards"];
}

/** Prompts whose responses are kept in the report. */
const SAMPLE_PROMPTS = 8;
/** Most points of a training curve. */
const CURVE_POINTS = 300;

/** Returns the last value of every name. */
function lastValues(values: readonly MetricRow[]): Record<string, number> {
  return Object.fromEntries(values.map((v) => [v.name, v.value]));
}

/** Returns `points` averaged over equal groups of neighbours, so that at most `most` are left. */
export function thinned(
  points: readonly { readonly step: number; readonly loss: number }[],
  most: number,
): { readonly step: number; readonly loss: number }[] {
  const size = Math.max(1, Math.ceil(points.length / most));
  return Array.from({ length: Math.ceil(points.length / size) }, (_, k) => {
    const group = points.slice(k * size, (k + 1) * size);
    const mean = (key: "step" | "loss") => group.reduce((sum, p) => sum + p[key], 0) / group.length;
    return { step: mean("step"), loss: mean("loss") };
  });
}

function iterations(
  { nodes }: RunResult,
  { metrics }: RunTables,
  events: readonly RunEvent[],
): Report["iterations"] {
  const keyOf = (name: NodeName) => `${blockOf(name)}/${name.iteration}`;
  const speeds = new Map(events.flatMap((e) => {
    const speed = e.type === "stage_progress" && e.role === "sample" && e.fields?.["tokens_per_second"];
    return speed ? [[keyOf(e), speed]] : [];
  }));
  const groups = Map.groupBy(nodes.filter(({ iteration }) => iteration !== undefined), keyOf);
  const rows = [...groups].map(([key, own]) => ({
    ...lastValues(own.filter(({ role }) => role === "update").flatMap((node) => metrics.get(node) ?? [])),
    ...(speeds.has(key) ? { tokens_per_second: speeds.get(key)! } : {}),
    block: blockOf(own[0]!),
    iteration: own[0]!.iteration!,
    seconds: own.reduce((sum, { seconds }) => sum + seconds, 0),
    cached: own.every(({ cached }) => cached),
  }));
  return rows.sort((a, b) => a.block < b.block ? -1 : a.block > b.block ? 1 : a.iteration - b.iteration)
    // The type of a row with free keys cannot be built by a literal: its index signature covers the named keys too.
    .map((row) => row as unknown as Report["iterations"][number]);
}

function timing(node: FinishedNode): Report["timings"][number] {
  const { seconds, tokens = null, cached } = node;
  return {
    stage: node.stage,
    uses: node.uses,
    index: node.index ?? null,
    iteration: node.iteration ?? null,
    seconds,
    tokens,
    tokens_per_second: tokens === null || seconds === 0 ? null : tokens / seconds,
    cached,
  };
}

function training({ nodes }: RunResult, { metrics }: RunTables): Report["training"] {
  return nodes.filter((node) => node.role === "train").flatMap((node) => {
    const values = (metrics.get(node) ?? []).filter((v) => v.name === "loss");
    const points = values.map(({ step, value }) => ({ step, loss: value }));
    return thinned(points, CURVE_POINTS).map((p) => ({ stage: node.stage, index: node.index ?? null, ...p }));
  });
}

/** Returns the validation losses of training stages. */
function validation({ nodes }: RunResult, { metrics }: RunTables): Report["validation"] {
  return nodes.filter((node) => node.role === "train").flatMap((node) => {
    const rows = metrics.get(node) ?? [], { best_step } = lastValues(rows);
    return rows.filter((v) => v.name === "validation_loss").map(({ step, value }) => ({
      stage: node.stage,
      index: node.index ?? null,
      step,
      loss: value,
      best: step === best_step,
    }));
  });
}

/** Returns the trials of learning rates. */
function learningRates({ nodes }: RunResult, { metrics }: RunTables): Report["learning_rates"] {
  return nodes.flatMap((node) => {
    const rows = metrics.get(node) ?? [], { peak_lr } = lastValues(rows);
    return rows.filter((v) => v.name === "trial_lr").map(({ step, value: lr }) => ({
      stage: node.stage,
      index: node.index ?? null,
      lr,
      loss: rows.find((v) => v.name === "trial_loss" && v.step === step)?.value ?? null,
      chosen: lr === peak_lr,
    }));
  });
}

/** Returns the optimizer updates of every training stage; a loop's metrics count them from its first iteration on. */
function updates({ nodes }: RunResult, { metrics }: RunTables): Report["updates"] {
  const rows = new Map<string, Report["updates"][number]>();
  for (const node of nodes) {
    const values = metrics.get(node);
    if (values === undefined) continue;
    const { stage, index = null, role, iteration } = node;
    const last = lastValues(values);
    const own = role === "update"
      ? last["policy_updates"]
      : (last["updates"] ?? values.filter((v) => v.name === "loss").length) + (last["trial_updates"] ?? 0);
    if (own === undefined) continue;
    const key = `${stage}/${index}`;
    const before = iteration === undefined ? 0 : rows.get(key)?.updates ?? 0;
    rows.set(key, { stage, index, updates: role === "update" ? Math.max(before, own) : before + own });
  }
  return [...rows.values()];
}

/** Returns the compared models; the base is the one that the evaluating stage also reads as its `base`. */
function models({ nodes }: RunResult, rows: RunTables["comparison"]): Report["models"] {
  const bases = nodes.filter(isComparison).flatMap(({ inputs: { models, base } }) =>
    Object.entries(models ?? {}).filter(([, digest]) => digest === base).map(([name]) => name)
  );
  return modelsOf(rows).map((name) => ({ name, base: bases.includes(name) }));
}

/** Returns a finding where the manifest names a checker and no prompt has the field that it needs. */
function withoutScore({ nodes }: RunResult, comparison: RunTables["comparison"]): string[] {
  const checker = nodes.find(isComparison)?.params.checker;
  if (!checker || comparison.some((row) => row.metric === "score")) return [];
  return [`No score: no evaluation prompt has the field that checker ${checker} reads`];
}

/** Returns the samples of the first prompts, in the order of the file. */
function chosenSamples(samples: readonly ReportSample[]): ReportSample[] {
  const prompts = new Set([...new Set(samples.map((s) => s.prompt_id))].slice(0, SAMPLE_PROMPTS));
  return samples.filter((s) => prompts.has(s.prompt_id));
}

function relativeTo(dir: string, path: string): string {
  const root = dir.endsWith("/") ? dir : `${dir}/`;
  return path.startsWith(root) ? path.slice(root.length) : path;
}

/** Returns the report of a run. `environment` holds what only the caller knows. */
export function buildReport(
  result: RunResult,
  tables: RunTables,
  options: { readonly events: readonly RunEvent[]; readonly environment: Environment },
): Report {
  const { events, environment } = options;
  const compared = {
    models: models(result, tables.comparison),
    comparison: [...tables.comparison],
    differences: differences(tables.comparison, tables.differences),
  };
  const { headline: text, findings } = headline(compared);
  const started = events.find((e) => e.type === "run_started");
  const timings = result.nodes.map(timing);
  return {
    version: 3,
    manifest: result.manifest,
    seed: result.seed,
    seconds: result.seconds,
    stage_seconds: result.nodes.reduce((sum, node) => sum + node.seconds, 0),
    headline: text,
    findings: [...findings, ...withoutScore(result, tables.comparison)],
    ...compared,
    benchmarks: [...tables.benchmarks],
    iterations: iterations(result, tables, events),
    evaluations: [...tables.evaluations],
    best: result.best.map(({ block, iteration, metric, value }) => ({ block, iteration, metric, value })),
    training: training(result, tables),
    validation: validation(result, tables),
    learning_rates: learningRates(result, tables),
    timings,
    phases: phasesOf(timings),
    samples: chosenSamples(tables.samples),
    rewards: [...tables.rewards],
    warnings: runWarnings(events),
    updates: updates(result, tables),
    environment: {
      ...environment,
      threads: started?.threads ?? null,
      executor: started?.executor ?? null,
    },
    // Copies and iterations of a stage share their parameters.
    parameters: Object.fromEntries(result.nodes.map((node) => [node.stage, { ...node.params }])),
    outputs: Object.fromEntries(
      Object.entries(result.outputs).map(([key, path]) => [key, relativeTo(result.runDir, path)]),
    ),
  };
}
