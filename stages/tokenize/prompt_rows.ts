/**
 * Rows of `prompts@1`: a user's prompts, or the distinct prompts of demonstrations. In: texts or samples. Out: rows that
 * leave room for an answer.
 * @module
 */
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import { type Problem, refuseProblems } from "@/lib/demonstrations/problems.ts";
import type { UserRow } from "@/lib/demonstrations/user_rows.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import type { EncodedPrompt } from "./encode_chats.ts";
import { encodePromptContents, textOf } from "./encode_contents.ts";
import { prefixLength } from "./encode_rows.ts";
import { fitPrompt } from "./fit.ts";
import type { FittedSample, Source, TokenizeSettings } from "./token_sets.ts";

/** One output file of prompts and how it came about. */
export interface PromptSet {
  readonly rows: readonly PromptRow[];
  /** texts of the rows, in their order */
  readonly texts: readonly string[];
  /** rows that were cut on the left */
  readonly cut: number;
  readonly dropped: number;
}

interface Candidate {
  readonly id: string;
  readonly at: string;
  readonly line?: number;
  readonly prompt: string;
  readonly meta: Readonly<Record<string, unknown>>;
  /** undefined: far too long to be encoded */
  readonly promptIds: readonly number[] | undefined;
}

/**
 * A user's prompts in ids; equal prompts stay as many as they are.
 * @throws {DataError} that lists the prompts that are too long, unless they are to be cut or dropped; or if none is left
 */
export async function encodePrompts(
  tokenizer: Tokenizer,
  source: Source<UserRow>,
  settings: TokenizeSettings,
): Promise<PromptSet> {
  const mayGuess = settings.params.truncation !== "left";
  const isFarTooLong = ({ content }: UserRow): boolean =>
    mayGuess && tokenizer.leastTokens(textOf(content)) > settings.maxPromptLength;
  const counted = source.rows.filter((row) => !isFarTooLong(row));
  const encoded = await encodePromptContents(tokenizer, counted.map(({ content }) => content), settings);
  const problems: Problem[] = [];
  const promptOf = new Map<UserRow, EncodedPrompt>();
  for (const [k, row] of counted.entries()) {
    const one = encoded[k]!;
    if ("problem" in one) problems.push({ at: row.at, line: row.line, what: one.problem });
    else promptOf.set(row, one);
  }
  refuseProblems(source.file, "a prompt must be one question, or fit the chat template", problems);
  const candidates = source.rows.map((row): Candidate => {
    const { id, at, line, meta, content } = row, found = promptOf.get(row);
    return { id, at, line, meta, prompt: found?.text ?? textOf(content), promptIds: found?.ids };
  });
  return fitCandidates(tokenizer, source.file, candidates, settings);
}

/**
 * The distinct prompts of demonstrations, each named after the first demonstration that has it; undefined if none has one, as
 * texts have not.
 * @param isEval adds the first demonstration's response to `meta` as `response`, so that a checker can compare with it
 */
export function promptsOfSamples(
  tokenizer: Tokenizer,
  samples: readonly FittedSample[],
  settings: TokenizeSettings,
  isEval: boolean,
): PromptSet | undefined {
  const first = new Map<string, FittedSample>();
  for (const sample of samples) {
    if (sample.prompt !== "" && !first.has(sample.prompt)) first.set(sample.prompt, sample);
  }
  if (first.size === 0) return undefined;
  const candidates = [...first.values()].map((
    { id, at, prompt, meta, response, promptIds },
  ): Candidate => ({
    id,
    at,
    prompt,
    meta: isEval ? { response, ...meta } : meta,
    promptIds,
  }));
  return fitCandidates(tokenizer, "the demonstrations' prompts", candidates, settings);
}

function fitCandidates(
  tokenizer: Tokenizer,
  file: string,
  candidates: readonly Candidate[],
  settings: TokenizeSettings,
): PromptSet {
  const { maxPromptLength, params } = settings;
  const tooLong: Problem[] = [];
  const rows: PromptRow[] = [];
  const texts: string[] = [];
  let cut = 0;
  for (const { id, at, line, prompt, meta, promptIds } of candidates) {
    const refuse = (what: string): void => {
      tooLong.push(line === undefined ? { at, what } : { at, line, what });
    };
    if (promptIds === undefined) {
      refuse("far too long");
      continue;
    }
    const fitted = fitPrompt(
      { promptIds, prefix: prefixLength(tokenizer, promptIds) },
      maxPromptLength,
      params.truncation,
    );
    if (fitted.kind === "dropped" || fitted.kind === "too_long") {
      refuse(`${promptIds.length} tokens`);
      continue;
    }
    if (fitted.kind === "cut") cut++;
    rows.push({ id, promptIds: Int32Array.from(fitted.promptIds), meta: JSON.stringify(meta) });
    texts.push(prompt);
  }
  if (params.truncation === "error") {
    refuseProblems(
      file,
      `a prompt must have at most ${maxPromptLength} tokens (or --truncation drop, left)`,
      tooLong,
    );
  }
  if (rows.length === 0) {
    throw new DataError(
      `Cannot tokenize ${file} as a prompt must be left: all ${candidates.length} are too long`,
      { file },
    );
  }
  return { rows, texts, cut, dropped: tooLong.length };
}
