/**
 * Puts a report together from a finished run and the tables it wrote. Pure: who reads the tables is
 * `read_run_tables.ts`.
 * @module
 */
import type { FinishedNode, RunEvent, RunResult } from "@/lib/contracts/events.ts";
import { type ComparisonRow, differences, type SampleRow } from "./comparison.ts";
import { headline } from "./headline.ts";
import type { Environment, Report } from "./report_schema.ts";
import { blockOf } from "./run_tracker.ts";
import { secondsByStage } from "./stage_seconds.ts";
import { warningsOf } from "./warnings_section.ts";

/** One value of a metrics file. */
export interface MetricValue {
  readonly step: number;
  readonly name: string;
  readonly value: number;
}

/** What the outputs of a run hold, as far as the report needs it. */
export interface RunTables {
  readonly comparison: readonly ComparisonRow[];
  /** of the eval stages inside loops */
  readonly evaluations: Report["evaluations"];
  /** all samples of the eval stages, with the words that a checker looks for */
  readonly samples: readonly SampleRow[];
  /** by node, in the order of the file; nodes without metrics are absent */
  readonly metrics: ReadonlyMap<FinishedNode, readonly MetricValue[]>;
  /** what build-reward found out about each reward */
  readonly rewards: Report["rewards"];
  /** policy updates that the last round's state counts; null without such a state */
  readonly policyUpdates: number | null;
}

/** Prompts whose answers are kept in the report. */
const SAMPLE_PROMPTS = 8;
/** Most points of a training curve. */
const CURVE_POINTS = 300;

/** The last value of every name. */
function lastValues(values: readonly MetricValue[]): Record<string, number> {
  return Object.fromEntries(values.map((v) => [v.name, v.value]));
}

/** `points` averaged over equal runs of neighbours, so that at most `most` are left. */
export function thinned<T extends { readonly step: number; readonly loss: number }>(
  points: readonly T[],
  most: number,
): { readonly step: number; readonly loss: number }[] {
  const size = Math.ceil(points.length / most);
  if (size <= 1) return points.map(({ step, loss }) => ({ step, loss }));
  const means: { step: number; loss: number }[] = [];
  for (let from = 0; from < points.length; from += size) {
    const group = points.slice(from, from + size);
    const mean = (value: (p: T) => number) => group.reduce((sum, p) => sum + value(p), 0) / group.length;
    means.push({ step: mean((p) => p.step), loss: mean((p) => p.loss) });
  }
  return means;
}

function rounds(result: RunResult, tables: RunTables, events: readonly RunEvent[]): Report["rounds"] {
  const rows = new Map<
    string,
    { block: string; iteration: number; seconds: number; cached: boolean; values: Record<string, number> }
  >();
  for (const node of result.nodes) {
    const { iteration } = node;
    if (iteration === undefined) continue;
    const block = blockOf(node);
    const row = rows.get(`${block}/${iteration}`) ??
      { block, iteration, seconds: 0, cached: true, values: {} };
    rows.set(`${block}/${iteration}`, row);
    row.seconds += node.seconds;
    row.cached = row.cached && node.cached;
    if (node.uses === "ppo-update") Object.assign(row.values, lastValues(tables.metrics.get(node) ?? []));
  }
  for (const e of events) {
    if (e.type !== "stage_progress" || e.uses !== "rollout" || e.iteration === undefined) continue;
    const speed = e.fields?.["tokens_per_second"];
    const row = rows.get(`${blockOf(e)}/${e.iteration}`);
    if (row !== undefined && speed !== undefined) row.values["tokens_per_second"] = speed;
  }
  return [...rows.values()]
    .sort((a, b) => (a.block < b.block ? -1 : a.block > b.block ? 1 : a.iteration - b.iteration))
    // The type of a row with free keys cannot be built by a literal: its index signature covers the named keys too.
    .map(({ values, ...row }) => ({ ...values, ...row }) as unknown as Report["rounds"][number]);
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

function training(result: RunResult, tables: RunTables): Report["training"] {
  return result.nodes.filter((node) => node.uses === "sft").flatMap((node) => {
    const values = (tables.metrics.get(node) ?? []).filter((v) => v.name === "loss");
    const points = values.map(({ step, value }) => ({ step, loss: value }));
    return thinned(points, CURVE_POINTS).map((p) => ({ stage: node.stage, index: node.index ?? null, ...p }));
  });
}

/**
 * Updates by what they trained. A member is an `sft` in a `foreach`; continued SFT is one whose name begins with
 * `continued`; what is left first in the plan is SFT, unless it learns every token, which is pretraining.
 */
function updates(result: RunResult, tables: RunTables): Report["updates"] {
  const made = (node: FinishedNode | undefined) => {
    const values = node === undefined ? undefined : tables.metrics.get(node);
    if (values === undefined) return null;
    return lastValues(values)["updates"] ?? values.filter((v) => v.name === "loss").length;
  };
  const sft = result.nodes.filter((node) => node.uses === "sft");
  const isContinued = (node: FinishedNode) => /(^|\.)continued/.test(node.stage);
  const isPretraining = (node: FinishedNode) => node.params["loss"] === "all";
  const single = sft.filter((node) => node.index === undefined && !isPretraining(node));
  return {
    sft: made(single.find((node) => !isContinued(node))),
    members: sft.filter((node) => node.index !== undefined).map((node) => made(node) ?? 0),
    policy: tables.policyUpdates,
    continued_sft: made(single.find(isContinued)),
  };
}

/** What to say where the manifest names a checker that found nothing to check. */
function withoutScore(result: RunResult, comparison: RunTables["comparison"]): string[] {
  const checker = result.nodes.find((node) => node.uses === "eval" && node.iteration === undefined)
    ?.params.checker;
  if (!checker || comparison.some((row) => row.metric === "score")) return [];
  return [`No score: no evaluation prompt has the field that checker ${checker} looks at`];
}

/** The samples of the first prompts that were answered, in the order of the file. */
function chosenSamples(samples: readonly SampleRow[]): SampleRow[] {
  const prompts = new Set([...new Set(samples.map((s) => s.prompt_id))].slice(0, SAMPLE_PROMPTS));
  return samples.filter((s) => prompts.has(s.prompt_id));
}

function relativeTo(dir: string, path: string): string {
  const root = dir.endsWith("/") ? dir : `${dir}/`;
  return path.startsWith(root) ? path.slice(root.length) : path;
}

/** The report of a run. `environment` holds what only the caller knows; the rest is looked up. */
export function buildReport(
  result: RunResult,
  tables: RunTables,
  options: { readonly events: readonly RunEvent[]; readonly environment: Environment },
): Report {
  const { events } = options;
  const differing = differences(tables.comparison, tables.samples);
  const { headline: text, findings } = headline(tables.comparison, differing);
  const started = events.find((e) => e.type === "run_started");
  const timings = result.nodes.map(timing);
  return {
    version: 1,
    manifest: result.manifest,
    seed: result.seed,
    seconds: result.seconds,
    stage_seconds: result.nodes.reduce((sum, node) => sum + node.seconds, 0),
    headline: text,
    findings: [...findings, ...withoutScore(result, tables.comparison)],
    comparison: [...tables.comparison],
    differences: differing,
    rounds: rounds(result, tables, events),
    evaluations: [...tables.evaluations],
    best: result.best.map(({ block, iteration, metric, value }) => ({ block, iteration, metric, value })),
    training: training(result, tables),
    timings,
    phases: secondsByStage(timings).map(({ uses, copies, cached, seconds, tokens, tokensPerSecond }) => ({
      uses,
      stages: copies,
      cached,
      seconds,
      tokens: tokens ?? null,
      tokens_per_second: tokensPerSecond ?? null,
    })),
    samples: chosenSamples(tables.samples),
    rewards: [...tables.rewards],
    warnings: warningsOf(events, tables.rewards),
    updates: updates(result, tables),
    environment: {
      ...options.environment,
      threads: options.environment.threads ?? started?.threads ?? null,
      executor: options.environment.executor ?? started?.executor ?? null,
    },
    // Copies and rounds of a stage share their parameters.
    parameters: Object.fromEntries(result.nodes.map((node) => [node.stage, { ...node.params }])),
    outputs: Object.fromEntries(
      Object.entries(result.outputs).map(([key, path]) => [key, relativeTo(result.runDir, path)]),
    ),
  };
}
