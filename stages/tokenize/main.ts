/**
 * The program `tokenize`: texts become Arrow files of token ids. Everything is read and checked before anything is
 * written. In: a user's JSON Lines, or a model's answers, and a model directory. Out: tokens, prompts and a report.
 * @module
 */
import { writePairs } from "@/lib/contracts/pairs.ts";
import { writePrompts } from "@/lib/contracts/prompts.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { writeTokens } from "@/lib/contracts/tokens.ts";
import { publishDirectory } from "@/lib/files/publish.ts";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import { loadChatTemplate } from "@/lib/text/load_chat_template.ts";
import { loadTokenizer, type Tokenizer } from "@/lib/text/tokenizer.ts";
import type { Chat } from "./encode_chats.ts";
import { makePairs } from "./make_pairs.ts";
import { type Params, params } from "./params.ts";
import { readInput } from "./read_input.ts";
import { tokenizeReport } from "./report.ts";
import { reportText, type ShownReport } from "./report_text.ts";
import { tokenize } from "./tokenize.ts";
import type { TokenizeSettings } from "./token_sets.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "tokenize",
  summary: "Turns demonstrations and prompts into token ids, with a mask of what is learned.",
  params,
  inputs: {
    demonstrations: {
      contract: "file",
      description:
        "demonstrations: JSON Lines, JSON, CSV, Parquet, Arrow or text, or directories of such files or patterns for them",
      many: "list",
      optional: true,
    },
    prompts: {
      contract: "file",
      description: "prompts to be answered in training, in the same formats",
      optional: true,
    },
    eval_prompts: {
      contract: "file",
      description: "prompts to be answered in evaluation, in the same formats",
      optional: true,
    },
    rollouts: {
      contract: ["rollouts@1", "scored@1"],
      description: "a model's answers; those that are selected become demonstrations",
      optional: true,
    },
    model: { contract: "model", description: "the model whose tokenizer and context count" },
  },
  outputs: {
    train: {
      contract: "tokens@1",
      description: "demonstrations to learn; not written without any",
      optional: true,
    },
    validation: {
      contract: "tokens@1",
      description: "demonstrations held back; not written where validation_fraction is 0",
      optional: true,
    },
    prompts: {
      contract: "prompts@1",
      description: "the prompts given, else the distinct prompts of train",
      optional: true,
    },
    eval_prompts: {
      contract: "prompts@1",
      description: "the evaluation prompts given, else the distinct prompts of validation",
      optional: true,
    },
    pairs: {
      contract: "pairs@1",
      description: "pairs of answers; not written where pairs is none",
      optional: true,
    },
    report: { contract: "report", description: "report.json: counts, lengths, cuts, three rows in full" },
  },
  random: true,
  role: "data",
  run,
});

async function run({ params, inputs, outputs, seed, signal, progress }: StageContext<Params>): Promise<void> {
  const model = inputs.model;
  if (typeof model !== "string") {
    throw new UsageError(`Cannot tokenize as input model must be one path: it is ${JSON.stringify(model)}`);
  }
  const tokenizer = loadTokenizer(model);
  const settings = settingsOf(params, tokenizer, model, seed);
  progress({ message: "reading" });
  const { input, selection, pairing } = await readInput(inputs, params, tokenizer);
  if (tokenizer.eosIds.length === 0 && (input.demonstrations ?? input.rollouts) !== undefined) {
    throw new DataError(
      `Cannot tokenize demonstrations for ${model} as it must name an end token (eos_token_id of generation_config.json or ` +
        "config.json, eos_token of tokenizer_config.json): it names none",
      { file: model },
    );
  }
  progress({ message: "encoding" });
  const result = await tokenize(tokenizer, input, settings);
  signal.throwIfAborted();
  const { digest: tokenizerDigest } = tokenizer;
  const { train, validation, prompts, evalPrompts } = result;
  const pairs = pairing && train &&
    makePairs(tokenizer, pairing, train.samples, { ...settings, truncation: params.truncation });
  if (train) {
    await writeTokens(outputs.train!, { rows: train.samples.map(({ row }) => row), tokenizerDigest });
  }
  if (validation) {
    await writeTokens(outputs.validation!, {
      rows: validation.samples.map(({ row }) => row),
      tokenizerDigest,
    });
  }
  if (prompts) await writePrompts(outputs.prompts!, { rows: prompts.rows, tokenizerDigest });
  if (evalPrompts) await writePrompts(outputs.eval_prompts!, { rows: evalPrompts.rows, tokenizerDigest });
  if (pairs) await writePairs(outputs.pairs!, { rows: pairs.rows, tokenizerDigest });
  const report = tokenizeReport(tokenizer, { ...result, pairs }, settings, selection);
  await publishDirectory(
    outputs.report!,
    (directory) =>
      Deno.writeTextFile(`${directory}/report.json`, `${JSON.stringify(report, undefined, 2)}\n`),
  );
  const count = (
    set: { readonly samples?: readonly unknown[]; readonly rows?: readonly unknown[] } | undefined,
  ): number => (set?.samples ?? set?.rows ?? []).length;
  progress({
    message: `${count(train)} demonstrations, ${count(validation)} held back, ${count(prompts)} prompts, ` +
      `${count(evalPrompts)} for evaluation${pairs ? `, ${pairs.rows.length} pairs` : ""}\n` +
      reportText(report as unknown as ShownReport, { colors: Deno.stderr.isTerminal() && !Deno.noColor }),
  });
}

/** Limits that hold for this model. @throws {UsageError} if they cannot be known or do not fit its context */
function settingsOf(params: Params, tokenizer: Tokenizer, model: string, seed: number): TokenizeSettings {
  const { contextLength } = tokenizer;
  const maxLength = params.max_length || contextLength;
  if (maxLength === null) {
    throw new UsageError(
      `Cannot tokenize for ${model} as max_length must be known: config.json names no context and --max_length is 0`,
    );
  }
  if (contextLength !== null && maxLength > contextLength) {
    throw new UsageError(
      `Cannot tokenize for ${model} as max_length must be at most its context of ${contextLength}: it is ${maxLength}`,
    );
  }
  const maxPromptLength = params.max_prompt_length || maxLength - 1;
  if (maxPromptLength < 1 || maxPromptLength >= maxLength) {
    throw new UsageError(
      `Cannot tokenize as a prompt must leave room for an answer within max_length ${maxLength}: max_prompt_length is ${maxPromptLength}`,
    );
  }
  const draw = params.draw === 0 ? {} : { draw: params.draw };
  return { params, maxLength, maxPromptLength, seed, ...draw, chat: chatOf(params, model) };
}

/** The chat template that conversations go through; undefined for plain text. */
function chatOf({ chat_template: name, template_date: date }: Params, model: string): Chat | undefined {
  if (name === "none") return undefined;
  const template = name === "auto" ? "model" : name;
  const found = loadChatTemplate(model, { template, clock: new Date(`${date}T12:00:00Z`) });
  if (found === undefined && name === "model") {
    throw new DataError(
      `Cannot tokenize for ${model} as chat_template=model must find one (chat_template.jinja, or chat_template of ` +
        "tokenizer_config.json): there is none",
      { file: model },
    );
  }
  return found && { template: found, addsPrefix: template !== "model" };
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}
