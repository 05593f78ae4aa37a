/**
 * Reads all inputs of an evaluation and checks that they fit together, before any model runs.
 * In: paths. Out: an `Evaluation`.
 * @module
 */
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type PromptRow, readPrompts } from "@/lib/data/contracts/prompts.ts";
import { checkSameTokenizer } from "@/lib/data/contracts/same_tokenizer.ts";
import { readTokens, supervisedTokens } from "@/lib/data/contracts/tokens.ts";
import type { Checker } from "@/lib/model/evals/checker.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { readModel } from "@/lib/model/models/checkpoint.ts";
import { type ModelSource, RewardModel } from "@/lib/model/reward/reward_model.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer, type Tokenizer } from "@/lib/data/text/tokenizer.ts";
import type { Sequence } from "@/lib/model/train/batching.ts";
import { benchmarksOf, benchmarkTemplate } from "./benchmarks.ts";
import { checkInputs } from "./check_inputs.ts";
import type { ChatTemplate } from "@/lib/data/text/chat_template.ts";
import type { LoadedTask } from "@/lib/model/benchmarks/data/resolve_task.ts";
import { checkerFor } from "./checker.ts";
import type { FluencyJudge } from "./judge.ts";
import type { Params } from "./params.ts";
import type { Context } from "./ports.ts";

/** What is evaluated, and the sources of metrics. */
export interface Evaluation {
  /** by name, in the order of the input; at least one */
  readonly models: readonly (readonly [name: string, source: Required<ModelSource>])[];
  readonly prompts: readonly PromptRow[];
  /** for messages */
  readonly promptsPath: string;
  readonly tokenizer: Tokenizer;
  readonly checker: Checker | undefined;
  readonly reward: RewardModel | undefined;
  /** for base_nll; undefined: the reward's base */
  readonly base: Required<ModelSource> | undefined;
  /** for kl_to_sft */
  readonly sft: Required<ModelSource> | undefined;
  /** for audit_reward; only with a reward */
  readonly audit: Required<ModelSource> | undefined;
  /** for judge_nll, with its own tokenizer */
  readonly judge: FluencyJudge | undefined;
  /** with their documents */
  readonly benchmarks: readonly LoadedTask[];
  /** of benchmark prompts; undefined: plain text */
  readonly benchmarkTemplate: ChatTemplate | undefined;
  /** held-out demonstrations, each with targets */
  readonly validation: readonly Sequence[] | undefined;
}

/**
 * Reads and checks the inputs.
 * @throws {DataError} if tokenizers differ, or models, prompts and demonstrations do not fit
 * @throws {UsageError} if no such checker exists
 */
export async function readInputs(
  inputs: Context["inputs"],
  params: Params,
  signal: AbortSignal,
): Promise<Evaluation> {
  const { prompts: promptsPath, base, sft, audit, judge } = inputs;
  const models = Object.entries(inputs.models);
  const { rows: prompts, tokenizerDigest: promptsDigest } = readPrompts(promptsPath);
  const validation = inputs.validation === undefined ? undefined : readTokens(inputs.validation);
  const reward = inputs.reward === undefined ? undefined : new RewardModel(inputs.reward);
  if (audit !== undefined && reward === undefined) {
    throw new UsageError("input audit requires input reward, whose guards apply to the audit reward too");
  }
  const directories = {
    ...Object.fromEntries(models.map(([name, path]) => [`models.${name}`, path])),
    ...(sft === undefined ? {} : { sft }),
    ...(base === undefined ? {} : { base }),
    ...(audit === undefined ? {} : { audit }),
    ...(reward ? { reward: reward.sources().base.path } : {}),
  };
  checkSameTokenizer({
    prompts: promptsDigest,
    ...mapValues(directories, tokenizerDigest),
    ...(validation ? { validation: validation.tokenizerDigest } : {}),
  });
  checkInputs({
    models: mapValues(directories, readModel),
    prompts,
    promptsPath,
    validation: validation?.rows ?? [],
    maxNewTokens: params.max_new_tokens,
  });
  const sequences = validation?.rows.map((row) => ({ ids: row.inputIds, targets: supervisedTokens(row) }))
    .filter(({ targets }) => targets.length > 0);
  if (sequences?.length === 0) {
    throw new DataError(
      `${inputs.validation} must have supervised tokens, got none in ${validation!.rows.length} rows`,
      { file: inputs.validation! },
    );
  }
  return {
    models: models.map(([name, path]) => [name, sourceOf(path)]),
    prompts,
    promptsPath,
    tokenizer: loadTokenizer(models[0]![1]),
    checker: await checkerFor(params, inputs.checker, prompts, promptsPath, signal),
    reward,
    base: base === undefined ? undefined : sourceOf(base),
    sft: sft === undefined ? undefined : sourceOf(sft),
    audit: audit === undefined ? undefined : sourceOf(audit),
    judge: judge === undefined ? undefined : readJudge(judge),
    benchmarks: await benchmarksOf(params, inputs.benchmark_rows),
    benchmarkTemplate: benchmarkTemplate(params, models[0]![1]),
    validation: sequences,
  };
}

/** Opens the judge. @throws {DataError} if it is no language model */
function readJudge(path: string): FluencyJudge {
  const { headKind, contextLength } = readModel(path);
  if (headKind !== "lm") {
    throw new DataError(`judge must be a language model, got a critic in ${path}`, { file: path });
  }
  return { ...sourceOf(path), tokenizer: loadTokenizer(path), contextLength };
}

function sourceOf(path: string): Required<ModelSource> {
  return { path, digest: digestDirectory(path).digest };
}

function mapValues<T>(values: Readonly<Record<string, string>>, to: (value: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value)]));
}
