/** Runs a task on several models and compares them on the same documents. @module */
import type { ChatTemplate } from "@/lib/data/text/chat_template.ts";
import { pairedBootstrap } from "../statistics/paired_bootstrap.ts";
import { bestOfN } from "../statistics/best_of_n.ts";
import { pearson, spearman } from "../statistics/correlation.ts";
import { distinctN, selfBleu } from "../statistics/diversity.ts";
import type { BenchmarkDocument, BenchmarkTask } from "../tasks/task.ts";
import type { BenchmarkRun, DocumentResult } from "./run_benchmark.ts";
import {
  clustersOfMetric,
  metricNames,
  type MetricSummary,
  summarize,
  summarizeGroups,
} from "./summarize.ts";

/** The results of a model, as written to JSON. */
export interface ModelReport {
  readonly model: string;
  readonly metrics: readonly MetricSummary[];
  /** by the task's groups, such as categories */
  readonly groups?: Readonly<Record<string, readonly MetricSummary[]>>;
  /** of the responses; absent for multiple choice */
  readonly responses?: ResponseStatistics;
  /** by metric: expected value of the best among n samples, for n = 1 … */
  readonly best_of_n?: Readonly<Record<string, readonly number[]>>;
  /** prompts whose beginning did not fit the context */
  readonly truncated_prompts: number;
}

/** Numbers about generated responses. */
interface ResponseStatistics {
  readonly mean_tokens: number;
  readonly eos_rate: number;
  readonly truncated_rate: number;
  readonly distinct_1: number;
  readonly distinct_2: number;
  readonly distinct_3: number;
  /** over the first response to each of at most 500 prompts */
  readonly self_bleu: number;
  /** of the responses, where a reward was given */
  readonly reward?: {
    readonly mean: number;
    readonly length_pearson?: number | undefined;
    readonly length_spearman?: number | undefined;
  };
}

/** A difference between two models. */
export interface ModelDifference {
  readonly metric: string;
  readonly first: string;
  readonly second: string;
  readonly difference: number;
  /** ends of the 95 % interval of the paired bootstrap */
  readonly low: number;
  readonly high: number;
  readonly p: number;
}

/** The results of a task. */
export interface TaskReport {
  readonly task: string;
  readonly version: string;
  readonly origin: string;
  /** `plain`, or the name of the chat template */
  readonly template: string;
  readonly few_shot: number;
  readonly documents: number;
  readonly models: readonly ModelReport[];
  /** of every model to the first */
  readonly differences: readonly ModelDifference[];
}

/** A model's run and, by document and sample, the rewards of its responses. */
export interface NamedRun {
  readonly model: string;
  readonly run: BenchmarkRun;
  readonly rewards?: readonly (readonly number[])[] | undefined;
}

/** Returns the report of a task from the runs of all models on the same documents. */
export function taskReport(
  task: BenchmarkTask,
  docs: readonly BenchmarkDocument[],
  runs: readonly NamedRun[],
  chatTemplate: ChatTemplate | undefined,
): TaskReport {
  const [first, ...others] = runs as [NamedRun, ...NamedRun[]];
  return {
    task: task.name,
    version: task.version,
    origin: task.origin,
    template: chatTemplate?.name ?? "plain",
    few_shot: task.fewShot?.count ?? 0,
    documents: docs.length,
    models: runs.map((run) => modelReport(task, docs, run)),
    differences: others.flatMap((second) =>
      metricNames(first.run.documents).map((metric) => ({
        metric,
        first: second.model,
        second: first.model,
        ...pairedBootstrap(
          clustersOfMetric(second.run.documents, metric),
          clustersOfMetric(first.run.documents, metric),
        ),
      }))
    ),
  };
}

function modelReport(
  task: BenchmarkTask,
  docs: readonly BenchmarkDocument[],
  { model, run: { documents, truncated }, rewards }: NamedRun,
): ModelReport {
  const groups = summarizeGroups(task, docs, documents);
  const samples = documents[0]?.responses.length ?? 0;
  return {
    model,
    metrics: summarize(documents),
    ...(Object.keys(groups).length > 0 ? { groups } : {}),
    ...(samples > 0 ? { responses: responseStatistics(documents, rewards) } : {}),
    ...(samples > 1 ? { best_of_n: bestCurves(documents, rewards) } : {}),
    truncated_prompts: truncated,
  };
}

function responseStatistics(
  documents: readonly DocumentResult[],
  rewards: NamedRun["rewards"],
): ResponseStatistics {
  const all = documents.flatMap(({ responses }) => responses), texts = all.map(({ text }) => text);
  const lengths = all.map(({ tokens }) => tokens.length), flat = rewards?.flat();
  const share = (reason: string) =>
    all.filter(({ finishReason }) => finishReason === reason).length / all.length;
  return {
    mean_tokens: meanOf(lengths),
    eos_rate: share("eos"),
    truncated_rate: share("length"),
    distinct_1: distinctN(texts, 1),
    distinct_2: distinctN(texts, 2),
    distinct_3: distinctN(texts, 3),
    self_bleu: selfBleu(documents.map(({ responses }) => responses[0]!.text)),
    ...(flat
      ? {
        reward: {
          mean: meanOf(flat),
          length_pearson: pearson(flat, lengths),
          length_spearman: spearman(flat, lengths),
        },
      }
      : {}),
  };
}

/** Returns the curves of all metrics: the best by the metric itself, and by the reward where there is one. */
function bestCurves(
  documents: readonly DocumentResult[],
  rewards: NamedRun["rewards"],
): Record<string, number[]> {
  const curves: Record<string, number[]> = {};
  for (const metric of metricNames(documents)) {
    const values = documents.map(({ outcomes }) =>
      outcomes.map(({ metrics }) => {
        const value = metrics[metric] ?? 0;
        return typeof value === "number" ? value : meanOf(value);
      })
    );
    curves[metric] = bestOfN(values.map((row) => row.map((value) => ({ value, chosenBy: value }))));
    if (rewards) {
      curves[`${metric} by reward`] = bestOfN(
        values.map((row, i) => row.map((value, k) => ({ value, chosenBy: rewards[i]![k]! }))),
      );
    }
  }
  return curves;
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
