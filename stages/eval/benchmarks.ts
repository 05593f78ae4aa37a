/**
 * Benchmarks of an evaluation: loads their documents before any model runs, and runs them on a model.
 * @module
 */
import { benchmarkMetric, type EvalRow } from "@/lib/data/contracts/evals.ts";
import { stoppable } from "@/lib/data/contracts/stop.ts";
import type { ChatTemplate } from "@/lib/data/text/chat_template.ts";
import { loadChatTemplate } from "@/lib/data/text/load_chat_template.ts";
import { loadSpecialIds } from "@/lib/data/text/load_special_ids.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { type LoadedTask, resolveTask } from "@/lib/model/benchmarks/data/resolve_task.ts";
import { runBenchmark } from "@/lib/model/benchmarks/run/run_benchmark.ts";
import { summarize } from "@/lib/model/benchmarks/run/summarize.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";
import type { Params } from "./params.ts";

/**
 * Returns the benchmarks with their documents.
 * @param rows path of the input benchmark_rows
 * @throws {UsageError} if a benchmark requires rows and there are none
 */
export async function benchmarksOf(params: Params, rows: string | undefined): Promise<LoadedTask[]> {
  const loaded: LoadedTask[] = [];
  for (const name of new Set(params.benchmark)) {
    const isBundled = name === "ifeval" || name.startsWith("gsm8k");
    if (!isBundled && rows === undefined) {
      throw new UsageError(`benchmark=${name} requires the input benchmark_rows, got none`);
    }
    loaded.push(
      await resolveTask({
        task: name === "own" ? rows! : name,
        data: isBundled ? undefined : rows,
        limit: params.benchmark_limit === 0 ? undefined : params.benchmark_limit,
      }),
    );
  }
  return loaded.map((task, k) => [...new Set(params.benchmark)][k] === "own" ? named(task, "own") : task);
}

/** The port's file has another name in every store. */
function named({ task, ...rest }: LoadedTask, name: string): LoadedTask {
  return { ...rest, task: { ...task, name } };
}

/**
 * Returns the chat template of benchmark prompts; undefined for plain text.
 * @throws {UsageError} if it is to be the model's and it has none
 */
export function benchmarkTemplate(
  { benchmark_template: name }: Params,
  model: string,
): ChatTemplate | undefined {
  if (name === "") return undefined;
  const template = loadChatTemplate(model, { template: name, clock: new Date(0) });
  if (template) return template;
  throw new UsageError(
    `benchmark_template=model requires a model with a chat template, got ${model} without one`,
  );
}

/** Runs the benchmarks on a model with greedy decoding and returns a row for each metric. */
export async function benchmarkMetrics(
  { model, network, path }: { readonly model: string; readonly network: Network; readonly path: string },
  { benchmarks, benchmarkTemplate: chatTemplate, tokenizer }: {
    readonly benchmarks: readonly LoadedTask[];
    readonly benchmarkTemplate: ChatTemplate | undefined;
    readonly tokenizer: Tokenizer;
  },
  { params, seed, onPiece, progress }: {
    readonly params: Params;
    readonly seed: number;
    readonly onPiece: () => void;
    readonly progress: (message: string) => void;
  },
): Promise<EvalRow[]> {
  const rows: EvalRow[] = [], { eosIds } = loadSpecialIds(path);
  for (const { task, docs, examples } of benchmarks) {
    progress(`${task.name} of ${model}, ${docs.length} documents`);
    const { documents } = await runBenchmark({ name: model, network, tokenizer, eosIds }, task, {
      docs,
      examples,
    }, {
      temperature: 0,
      samples: 1,
      seed,
      batchSize: params.batch_size,
      maxNewTokens: params.benchmark_max_new_tokens === 0 ? undefined : params.benchmark_max_new_tokens,
      chatTemplate,
      onStep: onPiece,
      stoppable: (work) => stoppable(work, onPiece),
    });
    const { name, version } = task, template = chatTemplate?.name ?? "plain";
    for (const { metric, ...value } of summarize(documents)) {
      rows.push({
        model,
        mode: "greedy",
        metric: benchmarkMetric({ task: name, version, template, metric }),
        ...value,
      });
    }
  }
  return rows;
}
