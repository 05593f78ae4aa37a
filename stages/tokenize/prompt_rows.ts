/** Rows of `prompts@1`: users' prompts, or the distinct prompts of demonstrations, of limited length. @module */
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import { refuseProblems, type RowProblem } from "@/lib/data/demonstrations/problems.ts";
import type { UserRow } from "@/lib/data/demonstrations/user_rows.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import type { EncodedPrompt } from "./encode_chats.ts";
import { encodePromptContents, textOf } from "./encode_contents.ts";
import { prefixLength } from "./encode_rows.ts";
import { fitPrompt } from "./fit.ts";
import type { Source } from "./samples.ts";
import type { FittedSample, TokenizeSettings } from "./token_sets.ts";

/** One output file of prompts, with counts. */
export interface PromptSet {
  readonly rows: readonly PromptRow[];
  /** texts of the rows, in their order */
  readonly texts: readonly string[];
  /** number of rows that were truncated on the left */
  readonly truncated: number;
  readonly dropped: number;
}

interface Candidate {
  readonly id: string;
  readonly at: string;
  readonly line?: number | undefined;
  readonly prompt: string;
  readonly meta: Readonly<Record<string, unknown>>;
  /** undefined: far too long, and not encoded */
  readonly promptIds: readonly number[] | undefined;
}

/**
 * Returns users' prompts in ids; repeated prompts are kept.
 * @throws {DataError} that lists the prompts that are too long, unless they are truncated or dropped; or if none is left
 */
export async function encodePromptSet(
  tokenizer: Tokenizer,
  source: Source<UserRow>,
  settings: TokenizeSettings,
): Promise<PromptSet> {
  const mayGuess = settings.params.truncation !== "left";
  const isFarTooLong = ({ content }: UserRow): boolean =>
    mayGuess && tokenizer.leastTokens(textOf(content)) > settings.maxPromptLength;
  const counted = source.rows.filter((row) => !isFarTooLong(row));
  const encoded = await encodePromptContents(tokenizer, counted.map(({ content }) => content), settings);
  const problems: RowProblem[] = [];
  const promptOf = new Map<UserRow, EncodedPrompt>();
  for (const [k, row] of counted.entries()) {
    const one = encoded[k]!;
    if ("problem" in one) problems.push({ at: row.at, line: row.line, what: one.problem });
    else promptOf.set(row, one);
  }
  refuseProblems(source.file, "a prompt must be a single question or fit the chat template", problems);
  const candidates = source.rows.map((row): Candidate => {
    const { id, at, line, meta, content } = row, found = promptOf.get(row);
    return { id, at, line, meta, prompt: found?.text ?? textOf(content), promptIds: found?.ids };
  });
  return fitCandidates(tokenizer, source.file, candidates, settings);
}

/**
 * Returns the distinct prompts of demonstrations, each with the id of its first demonstration; undefined if there are none.
 * @param isEval whether to add the first demonstration's response to `meta` as `response`, for checkers
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
  const candidates = [...first.values()].map(({ response, ...sample }): Candidate => ({
    ...sample,
    line: undefined,
    meta: isEval ? { response, ...sample.meta } : sample.meta,
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
  const tooLong: RowProblem[] = [];
  const rows: PromptRow[] = [];
  const texts: string[] = [];
  let truncated = 0;
  for (const { id, at, line, prompt, meta, promptIds } of candidates) {
    if (promptIds === undefined) {
      tooLong.push({ at, line, what: "far too long" });
      continue;
    }
    const row = { promptIds, prefix: prefixLength(tokenizer, promptIds) };
    const fitted = fitPrompt(row, maxPromptLength, params.truncation);
    if (typeof fitted === "string") {
      tooLong.push({ at, line, what: `${promptIds.length} tokens` });
      continue;
    }
    if (fitted.isTruncated) truncated++;
    rows.push({ id, promptIds: Int32Array.from(fitted.promptIds), meta: JSON.stringify(meta) });
    texts.push(prompt);
  }
  if (params.truncation === "error") {
    refuseProblems(
      file,
      `a prompt must have at most ${maxPromptLength} tokens (or use --truncation drop or left)`,
      tooLong,
    );
  }
  if (rows.length === 0) {
    throw new DataError(
      `${file}: at least one prompt must be within the length limit, got ${candidates.length} that are too long`,
      { file },
    );
  }
  return { rows, texts, truncated, dropped: tooLong.length };
}
