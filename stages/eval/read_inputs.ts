/**
 * Reads everything that an evaluation needs and checks that it fits together, before any model runs.
 * In: paths. Out: an `Evaluation`.
 * @module
 */
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { type PromptRow, readPrompts } from "@/lib/contracts/prompts.ts";
import { checkSameTokenizer } from "@/lib/contracts/same_tokenizer.ts";
import type { InputPaths } from "@/lib/contracts/stage.ts";
import { readTokens } from "@/lib/contracts/tokens.ts";
import type { Checker } from "@/lib/evals/checker.ts";
import { digestDirectory } from "@/lib/files/digest.ts";
import { readModel } from "@/lib/models/checkpoint.ts";
import { type ModelSource, RewardModel } from "@/lib/reward/reward_model.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { loadTokenizer, type Tokenizer } from "@/lib/text/tokenizer.ts";
import type { Sequence } from "@/lib/train/batching.ts";
import { checkerFor } from "./checker.ts";
import { checkInputs } from "./check_inputs.ts";
import type { Params } from "./params.ts";
import { supervisedSequences } from "./validation.ts";

/** What is evaluated, and with what. */
export interface Evaluation {
  /** by name, in the order given; at least one */
  readonly models: readonly (readonly [name: string, source: Required<ModelSource>])[];
  readonly prompts: readonly PromptRow[];
  /** for messages */
  readonly promptsPath: string;
  readonly tokenizer: Tokenizer;
  readonly checker: Checker | undefined;
  readonly reward: RewardModel | undefined;
  /** what fluency is measured with; the reward's own base where it is left out */
  readonly base: Required<ModelSource> | undefined;
  /** what KL is measured against */
  readonly sft: Required<ModelSource> | undefined;
  /** held-back demonstrations, each with targets */
  readonly heldBack: readonly Sequence[] | undefined;
}

/**
 * @throws {DataError} if tokenizers differ, or models, prompts and demonstrations do not fit
 * @throws {UsageError} if there is no such checker
 */
export async function readInputs(inputs: InputPaths, params: Params): Promise<Evaluation> {
  const models = Object.entries(inputs.models as Readonly<Record<string, string>>);
  const promptsPath = inputs.prompts as string;
  const { base, sft, validation: validationPath, reward: rewardPath, checker } = inputs as Readonly<
    Record<string, string | undefined>
  >;
  const { rows: prompts, tokenizerDigest: promptsDigest } = readPrompts(promptsPath);
  const validation = validationPath === undefined ? undefined : readTokens(validationPath);
  const reward = rewardPath === undefined ? undefined : new RewardModel(rewardPath);
  const directories = {
    ...Object.fromEntries(models.map(([name, path]) => [`models.${name}`, path])),
    ...(sft === undefined ? {} : { sft }),
    ...(base === undefined ? {} : { base }),
    ...(reward ? { reward: join(reward.directory, reward.manifest.base.path) } : {}),
  };
  checkSameTokenizer({
    prompts: promptsDigest,
    ...mapValues(directories, tokenizerDigest),
    ...(validation ? { validation: validation.tokenizerDigest } : {}),
  });
  checkInputs({
    models: mapValues(
      directories,
      readModel,
    ),
    prompts,
    promptsPath,
    validation: validation?.rows ?? [],
    maxNewTokens: params.max_new_tokens,
  });
  const heldBack = validation && supervisedSequences(validation.rows);
  if (heldBack?.length === 0) {
    throw new DataError(
      `Cannot measure on ${validationPath} as a row must have a supervised token: none of ${
        validation!.rows.length
      } has`,
      { file: validationPath! },
    );
  }
  return {
    models: models.map(([name, path]) => [name, sourceOf(path)]),
    prompts,
    promptsPath,
    tokenizer: loadTokenizer(models[0]![1]),
    checker: await checkerFor(params, checker, prompts, promptsPath),
    reward,
    base: base === undefined ? undefined : sourceOf(base),
    sft: sft === undefined ? undefined : sourceOf(sft),
    heldBack,
  };
}

function sourceOf(path: string): Required<ModelSource> {
  return { path, digest: digestDirectory(path).digest };
}

function mapValues<T>(values: Readonly<Record<string, string>>, to: (value: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value)]));
}
