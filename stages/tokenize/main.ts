/**
 * The program `tokenize`: texts become Arrow files of token ids. Everything is read and checked before anything is written.
 * @module
 */
import { writePairs } from "@/lib/data/contracts/pairs.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { defineStage, type StageContext } from "@/lib/data/contracts/stage.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import { DataError, throwIfInterrupted, UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadChatTemplate } from "@/lib/data/text/load_chat_template.ts";
import { loadTokenizer, type Tokenizer } from "@/lib/data/text/tokenizer.ts";
import type { Chat } from "./encode_chats.ts";
import { makePairs } from "./make_pairs.ts";
import { type Params, params } from "./params.ts";
import { inputs, outputs } from "./ports.ts";
import { readInput } from "./read_input.ts";
import { tokenizeReport } from "./report.ts";
import { reportText } from "./report_text.ts";
import type { TokenizeSettings, TokenSet } from "./token_sets.ts";
import { tokenize } from "./tokenize.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "tokenize",
  summary: "Encodes demonstrations and prompts as token ids, with a loss mask.",
  params,
  inputs,
  outputs,
  random: true,
  role: "data",
  omits: ({ validation_fraction, audit_fraction, selection_fraction }) => ({
    ...(validation_fraction === 0 ? { validation: "validation_fraction=0" } : {}),
    ...(audit_fraction === 0 ? { audit: "audit_fraction=0" } : {}),
    ...(selection_fraction === 0 ? { selection_prompts: "selection_fraction=0" } : {}),
  }),
  run,
});

async function run(context: StageContext<Params, typeof inputs, typeof outputs>): Promise<void> {
  const { params, inputs, outputs, seed, signal, progress } = context, { model } = inputs;
  const tokenizer = loadTokenizer(model), tokenizerDigest = tokenizer.digest;
  const settings = { ...settingsOf(params, tokenizer, model, seed), signal };
  progress({ message: "reading" });
  const { input, selection, pairing } = await readInput(inputs, params, tokenizer, signal);
  if (tokenizer.eosIds.length === 0 && (input.demonstrations ?? input.rollouts) !== undefined) {
    throw new DataError(
      `${model} must name an end token for demonstrations (eos_token_id of generation_config.json or config.json, ` +
        "eos_token of tokenizer_config.json), got none",
      { file: model },
    );
  }
  throwIfInterrupted(signal);
  progress({ message: "encoding" });
  const result = await tokenize(tokenizer, input, settings);
  throwIfInterrupted(signal);
  const { train, validation, audit, prompts, evalPrompts, selectionPrompts } = result;
  for (const warning of result.warnings) progress({ warning });
  const pairs = pairing && train &&
    makePairs(tokenizer, pairing, train.samples, { ...settings, truncation: params.truncation });
  const rowsOf = ({ samples }: TokenSet) => ({ rows: samples.map(({ row }) => row), tokenizerDigest });
  if (train) await writeTokens(outputs.train, rowsOf(train));
  if (validation) await writeTokens(outputs.validation, rowsOf(validation));
  if (audit) await writeTokens(outputs.audit, rowsOf(audit));
  if (prompts) await writePrompts(outputs.prompts, { rows: prompts.rows, tokenizerDigest });
  if (evalPrompts) await writePrompts(outputs.eval_prompts, { rows: evalPrompts.rows, tokenizerDigest });
  if (selectionPrompts) {
    await writePrompts(outputs.selection_prompts, { rows: selectionPrompts.rows, tokenizerDigest });
  }
  if (pairs) await writePairs(outputs.pairs, { rows: pairs.rows, tokenizerDigest });
  const report = tokenizeReport(tokenizer, { ...result, pairs }, settings, selection);
  await publishDirectory(
    outputs.report,
    (directory) =>
      Deno.writeTextFile(`${directory}/report.json`, `${JSON.stringify(report, undefined, 2)}\n`),
  );
  const counts = [
    `${train?.samples.length ?? 0} demonstrations`,
    `${validation?.samples.length ?? 0} held out`,
    ...(audit ? [`${audit.samples.length} for the audit`] : []),
    `${prompts?.rows.length ?? 0} prompts`,
    `${evalPrompts?.rows.length ?? 0} evaluation prompts`,
    ...(selectionPrompts ? [`${selectionPrompts.rows.length} selection prompts`] : []),
    ...(pairs ? [`${pairs.rows.length} pairs`] : []),
  ];
  const colors = Deno.stderr.isTerminal() && !Deno.noColor;
  progress({ message: `${counts.join(", ")}\n${reportText(report, { colors })}` });
}

/** Returns the limits for this model. @throws {UsageError} if they are unknown or exceed its context length */
function settingsOf(params: Params, tokenizer: Tokenizer, model: string, seed: number): TokenizeSettings {
  const { contextLength } = tokenizer;
  const maxLength = params.max_length || contextLength;
  if (maxLength === null) {
    throw new UsageError(`max_length is required, since config.json of ${model} has no context length`);
  }
  if (contextLength !== null && maxLength > contextLength) {
    throw new UsageError(
      `max_length must be at most the context length ${contextLength} of ${model}, got ${maxLength}`,
    );
  }
  const maxPromptLength = params.max_prompt_length || maxLength - 1;
  if (maxPromptLength < 1 || maxPromptLength >= maxLength) {
    throw new UsageError(
      `max_prompt_length must be less than max_length ${maxLength}, got ${maxPromptLength}`,
    );
  }
  const draw = params.draw === 0 ? {} : { draw: params.draw };
  return { params, maxLength, maxPromptLength, seed, ...draw, chat: chatOf(params, model) };
}

/** Returns the chat template for conversations; undefined for plain text. */
function chatOf({ chat_template: name, template_date: date }: Params, model: string): Chat | undefined {
  if (name === "none") return undefined;
  const template = name === "auto" ? "model" : name;
  const found = loadChatTemplate(model, { template, clock: new Date(`${date}T12:00:00Z`) });
  if (found === undefined && name === "model") {
    throw new DataError(
      `chat_template=model requires chat_template.jinja or chat_template of tokenizer_config.json, got none in ${model}`,
      { file: model },
    );
  }
  return found && { template: found, addsPrefix: template !== "model" };
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}
