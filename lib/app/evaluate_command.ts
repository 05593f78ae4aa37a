/**
 * `deno task evaluate`: runs benchmarks on models and prints their comparison. The launcher has resolved references of the hub.
 * @module
 */
import { join } from "node:path";
import { configureRuntime } from "@/lib/compute/ort/runtime.ts";
import { EXIT, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { readDataFile } from "@/lib/data/demonstrations/data_files.ts";
import { readDemonstrations } from "@/lib/data/demonstrations/user_rows.ts";
import { writeJson } from "@/lib/data/files/json.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import type { ChatTemplate } from "@/lib/data/text/chat_template.ts";
import { loadChatTemplate } from "@/lib/data/text/load_chat_template.ts";
import { loadSpecialIds } from "@/lib/data/text/load_special_ids.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { type LoadedTask, resolveTask } from "@/lib/model/benchmarks/data/resolve_task.ts";
import { alpacaOutputs } from "@/lib/model/benchmarks/alpaca/alpaca_outputs.ts";
import type { BenchmarkModel } from "@/lib/model/benchmarks/run/benchmark_model.ts";
import { type NamedRun, type TaskReport, taskReport } from "@/lib/model/benchmarks/run/compare_models.ts";
import { type Perplexity, perplexityOf } from "@/lib/model/benchmarks/run/perplexity.ts";
import type { WinRates } from "@/lib/model/benchmarks/alpaca/win_rates.ts";
import { judgeModels } from "./judge_models.ts";
import { type BenchmarkRun, runBenchmark } from "@/lib/model/benchmarks/run/run_benchmark.ts";
import { sharedDocuments } from "@/lib/model/benchmarks/statistics/shared_grams.ts";
import { BENCHMARK_TASKS } from "@/lib/model/benchmarks/tasks/named_tasks.ts";
import { loadChecker } from "@/lib/model/evals/load_checker.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import { RewardModel } from "@/lib/model/reward/reward_model.ts";
import { runYielding } from "@/lib/model/train/event_loop.ts";
import { benchmarkTable } from "@/lib/report/benchmark_table.ts";
import { runCommand, warn } from "./command.ts";
import { EVALUATE_HELP, type EvaluateFlags, readEvaluateFlags } from "./evaluate_flags.ts";
import { workingDirectory } from "./parent.ts";
import { STOP_SIGNALS } from "./stopping.ts";

/** The whole report. */
interface EvaluationReport {
  readonly tasks: readonly TaskReport[];
  /** by model */
  readonly perplexity?: Readonly<Record<string, Perplexity>>;
  /** of alpaca_eval against the baseline, by model */
  readonly win_rates?: Readonly<Record<string, WinRates>>;
  readonly warnings: readonly string[];
}

async function main(args: readonly string[]): Promise<number> {
  const flags = readEvaluateFlags(args, {
    workingDirectory: workingDirectory(),
    isTask: (name) => BENCHMARK_TASKS.has(name),
  });
  let isStopped = false;
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, () => isStopped = true);
  const onStep = () => {
    if (isStopped) {
      throw new TryAgainError("Interrupted: this evaluation is discarded. Run the same command again");
    }
  };
  configureRuntime({ threads: flags.threads });
  const report = await evaluate(flags, onStep);
  if (flags.out !== undefined) writeJson(join(flags.out, "report.json"), report);
  printOut(flags.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
  return EXIT.ok;
}

function textOf({ tasks, perplexity = {}, win_rates: rates = {} }: EvaluationReport): string {
  const lines = Object.entries(perplexity).map(([model, found]) =>
    `${model}: token perplexity ${found.token_perplexity.toFixed(3)}, word perplexity ${
      found.word_perplexity.toFixed(3)
    }, ` +
    `bits per byte ${found.bits_per_byte.toFixed(4)} (${found.texts} texts, ${found.tokens} tokens)`
  );
  for (const [model, found] of Object.entries(rates)) lines.push(winRateLine(model, found));
  return `${[...tasks.map(benchmarkTable), ...(lines.length > 0 ? [lines.join("\n")] : [])].join("\n\n")}\n`;
}

function winRateLine(model: string, rates: WinRates): string {
  const text = (value: number, error: number) => `${value.toFixed(2)} ± ${error.toFixed(2)} %`;
  return `${model}: win rate ${
    text(rates.win_rate, rates.standard_error)
  }, length-controlled win rate (${rates.glm}) ` +
    `${text(rates.length_controlled_winrate, rates.lc_standard_error)}, n = ${rates.n_total}`;
}

async function evaluate(flags: EvaluateFlags, onStep: () => void): Promise<EvaluationReport> {
  const checker = flags.checker === undefined ? undefined : await loadChecker(flags.checker);
  const loaded: LoadedTask[] = [];
  for (const task of flags.tasks) {
    const { limit, stops } = flags, data = flags.data[task];
    loaded.push(await resolveTask({ task, data, limit, checker, stops }));
  }
  const warnings = await overlapWarnings(flags, loaded);
  warnings.forEach((text) => warn(`Warning: ${text}`));
  const texts = flags.perplexity === undefined ? undefined : await textsOf(flags.perplexity);
  const runs = loaded.map((): NamedRun[] => []), perplexity: Record<string, Perplexity> = {};
  for (const { name, path } of flags.models) {
    const model = modelOf(name, path);
    for (const [k, task] of loaded.entries()) {
      console.error(`${name}: ${task.task.name}, ${task.docs.length} documents`);
      runs[k]!.push(await runTask(model, path, task, { flags, onStep, warnings }));
    }
    if (texts) perplexity[name] = await perplexityOf(model, texts);
  }
  const tasks = loaded.map(({ task, docs }, k) =>
    taskReport(task, docs, runs[k]!, templateOf(flags.models[0]!.path, flags.chatTemplate))
  );
  const alpaca = loaded.findIndex(({ task }) => task.name === "alpaca_eval");
  const rates = flags.judgeUrl === undefined || alpaca < 0
    ? undefined
    : await judgeModels(flags, loaded[alpaca]!.docs, runs[alpaca]!, onStep);
  return { tasks, ...(texts ? { perplexity } : {}), ...(rates ? { win_rates: rates } : {}), warnings };
}

function modelOf(name: string, path: string): BenchmarkModel {
  return {
    name,
    network: frozenNetwork(path),
    tokenizer: loadTokenizer(path),
    eosIds: loadSpecialIds(path).eosIds,
  };
}

/** @throws {UsageError} if the template is to be the model's and it has none */
function templateOf(path: string, name: string | undefined): ChatTemplate | undefined {
  if (name === undefined) return undefined;
  const template = loadChatTemplate(path, { template: name, clock: new Date(0) });
  if (template === undefined) {
    throw new UsageError(
      `--chat-template model requires a model with a chat template, got ${path} without one`,
    );
  }
  return template;
}

async function runTask(
  model: BenchmarkModel,
  path: string,
  { task, docs, examples }: LoadedTask,
  { flags, onStep, warnings }: {
    readonly flags: EvaluateFlags;
    readonly onStep: () => void;
    readonly warnings: string[];
  },
): Promise<NamedRun> {
  const chatTemplate = templateOf(path, flags.chatTemplate);
  const run = await runBenchmark(model, task, { docs, examples }, { ...flags, chatTemplate, onStep });
  if (run.truncated > 0) {
    const text =
      `${model.name}: ${run.truncated} of ${docs.length} prompts of ${task.name} do not fit the context of ` +
      `${model.network.model.contextLength} tokens and lose their beginning`;
    warnings.push(text);
    warn(`Warning: ${text}`);
  }
  if (flags.out !== undefined) {
    Deno.mkdirSync(flags.out, { recursive: true });
    await writeSamples(join(flags.out, `${task.name}.${model.name}.jsonl`), run);
    if (task.name === "alpaca_eval") {
      writeJson(join(flags.out, `alpaca_eval.${model.name}.json`), alpacaOutputs(docs, run, model.name));
    }
  }
  const rewards = flags.reward === undefined ? undefined : await rewardsOf(flags.reward, model, path, run);
  return { model: model.name, run, rewards };
}

async function writeSamples(path: string, { documents }: BenchmarkRun): Promise<void> {
  const lines = documents.map(({ prompt, outcomes, responses, logLikelihoods }, i) =>
    JSON.stringify({
      document: i,
      prompt,
      ...(responses.length > 0
        ? { responses: responses.map(({ text, finishReason }) => ({ text, finish_reason: finishReason })) }
        : {}),
      ...(logLikelihoods ? { log_likelihoods: logLikelihoods } : {}),
      outcomes,
    })
  );
  await publishFile(
    path,
    (temporary) => Deno.writeTextFile(temporary, lines.map((line) => `${line}\n`).join("")),
  );
}

/** Returns the raw rewards of all responses; the first member of the reward takes the place of an SFT model, which it does not use. */
async function rewardsOf(
  directory: string,
  model: BenchmarkModel,
  path: string,
  { documents }: BenchmarkRun,
): Promise<number[][]> {
  const reward = new RewardModel(directory);
  const rows = documents.flatMap(({ responses }, i) =>
    responses.map((response, k) => ({
      id: `${i}/${k}`,
      promptId: String(i),
      sample: k,
      promptIds: response.promptIds,
      responseIds: response.tokens,
      logprobs: response.logprobs,
      logprobsT1: null,
      finishReason: response.finishReason,
      meta: "{}",
    }))
  );
  const scored = await runYielding(reward.score(rows, { sft: { path }, bosId: model.tokenizer.bosId }));
  let next = 0;
  return documents.map(({ responses }) => responses.map(() => scored[next++]!.rawReward));
}

async function textsOf(path: string): Promise<string[]> {
  const rows = (await readDataFile(path)).rows.map(({ value }) => value.text);
  const texts = rows.filter((text): text is string => typeof text === "string" && text !== "");
  if (texts.length === 0) {
    throw new UsageError(`--perplexity requires rows with a text in "text", got none in ${path}`);
  }
  return texts;
}

/** Returns a warning for each task that shares a 13-gram with the demonstrations. */
async function overlapWarnings(flags: EvaluateFlags, loaded: readonly LoadedTask[]): Promise<string[]> {
  const { demonstrations } = flags;
  if (demonstrations === undefined) return [];
  const { rows } = await readDemonstrations([demonstrations]);
  const texts = rows.map(({ content }) =>
    content.kind === "chat"
      ? content.messages.map((message) => String(message.content)).join("\n")
      : content.text
  );
  return loaded.flatMap(({ task, docs }) => {
    const shared = sharedDocuments(docs.map((doc) => Object.values(doc).filter(isText).join("\n")), texts);
    if (shared.length === 0) return [];
    const named = shared.slice(0, 5).map((i) => i + 1).join(", ");
    return [
      `${shared.length} of ${docs.length} documents of ${task.name} share a 13-gram with ${demonstrations}, first rows: ${named}`,
    ];
  });
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

if (import.meta.main) await runCommand(main, EVALUATE_HELP);
