/**
 * Demonstrations as the two token files: split by prompt, cut to length. Where a row goes depends on its prompt and the
 * seed alone, whatever other rows there are.
 * In: a user's demonstrations and a model's chosen answers. Out: train and validation.
 * @module
 */
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";
import type { TokenRow } from "@/lib/contracts/tokens.ts";
import { type Problem, refuseProblems } from "@/lib/demonstrations/problems.ts";
import type { UserRow } from "@/lib/demonstrations/user_rows.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import type { Chat } from "./encode_chats.ts";
import { textOf } from "./encode_contents.ts";
import { prefixLength } from "./encode_rows.ts";
import { fitDemonstration } from "./fit.ts";
import type { Params } from "./params.ts";
import { type Sample, samplesOfDemonstrations, samplesOfRollouts } from "./samples.ts";
import { isValidation, usualShare } from "./split.ts";

/** Rows and the file that messages name. */
export interface Source<Row> {
  readonly file: string;
  readonly rows: readonly Row[];
}

/** Where demonstrations come from; either, both or none. */
export interface DemonstrationInput {
  readonly demonstrations?: Source<UserRow> | undefined;
  readonly rollouts?: Source<RolloutRow> | undefined;
}

/** How to tokenize. */
export interface TokenizeSettings {
  readonly params: Pick<Params, "boundary" | "truncation" | "validation_fraction">;
  /** tokens, the limit of a demonstration */
  readonly maxLength: number;
  /** tokens, the limit of a prompt */
  readonly maxPromptLength: number;
  readonly seed: number;
  /** how many of the demonstrations to learn are drawn; undefined: all are learned */
  readonly draw?: number;
  /** undefined: prompts and responses are plain text */
  readonly chat?: Chat | undefined;
}

/** A demonstration cut to length. */
export interface FittedSample extends Sample {
  readonly row: TokenRow;
  readonly isCut: boolean;
}

/** One output file of demonstrations, and how many rows of its share were dropped. */
export interface TokenSet {
  readonly samples: readonly FittedSample[];
  readonly dropped: number;
  /** rows of its share in which there was nothing to learn */
  readonly unsupervised: number;
  /** how many demonstrations the samples were drawn from; undefined: they are all */
  readonly drawnFrom?: number;
}

/**
 * Train and validation; with a validation_fraction of 0 there is no validation, without demonstrations there is neither.
 * @throws {DataError} listing the rows that cannot be tokenized, or if a set that was asked for comes out empty.
 */
export async function tokenSets(
  tokenizer: Tokenizer,
  input: DemonstrationInput,
  settings: TokenizeSettings,
): Promise<{ readonly train?: TokenSet; readonly validation?: TokenSet }> {
  const { params, maxLength, seed } = settings;
  const { demonstrations, rollouts } = input;
  if (demonstrations === undefined && rollouts === undefined) return {};
  const user = demonstrations === undefined
    ? { samples: [], farTooLong: [], unsupervised: [] }
    : await samplesOfDemonstrations(tokenizer, demonstrations.file, demonstrations.rows, {
      ...params,
      maxLength,
      chat: settings.chat,
    });
  const model = rollouts === undefined ? [] : samplesOfRollouts(tokenizer, rollouts.file, rollouts.rows);
  const names = [demonstrations?.file, rollouts?.file].filter((file) => file !== undefined).join(" and ");
  refuseEqualIds(names, [...user.samples, ...model]);

  const tooLong: Problem[] = user.farTooLong.map(({ at, line }) => ({
    at,
    line,
    what: "far too long",
  }));
  const share = params.validation_fraction ??
    usualShare([...user.samples, ...model].map(splitKey), seed);
  const isHeldBack = (key: string): boolean => isValidation(key, seed, share);
  // rows that were not encoded go by what they say, so that the counts add up
  const heldBack = (rows: readonly UserRow[]): number =>
    rows.filter((row) => isHeldBack(textOf(row.content))).length;
  const train: FittedSample[] = [];
  const validation: FittedSample[] = [];
  let droppedValidation = heldBack(user.farTooLong);
  let droppedTrain = user.farTooLong.length - droppedValidation;
  const emptyValidation = heldBack(user.unsupervised);
  const emptyTrain = user.unsupervised.length - emptyValidation;
  for (const sample of [...user.samples, ...model]) {
    const fitted = fitSample(tokenizer, sample, settings);
    if (fitted === "too_long") {
      const what = `${sample.promptIds.length + sample.responseIds.length} tokens`;
      tooLong.push(
        sample.line === undefined ? { at: sample.at, what } : { at: sample.at, line: sample.line, what },
      );
    } else if (isHeldBack(splitKey(sample))) {
      if (fitted === "dropped") droppedValidation++;
      else validation.push(fitted);
    } else if (fitted === "dropped") droppedTrain++;
    else train.push(fitted);
  }
  if (params.truncation === "error") {
    tooLong.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity));
    refuseProblems(
      names,
      `prompt, response and end must have at most ${maxLength} tokens (or --truncation drop, left, right)`,
      tooLong,
    );
  }
  refuseEmpty(names, "train", train.length, droppedTrain, share);
  if (share === 0) {
    return { train: { samples: train, dropped: droppedTrain, unsupervised: emptyTrain } };
  }
  refuseEmpty(names, "validation", validation.length, droppedValidation, share);
  return {
    train: { samples: train, dropped: droppedTrain, unsupervised: emptyTrain },
    validation: { samples: validation, dropped: droppedValidation, unsupervised: emptyValidation },
  };
}

/** What decides where a sample goes: its prompt, or all of a text by itself. */
function splitKey({ prompt, response }: Sample): string {
  return prompt || response;
}

function fitSample(
  tokenizer: Tokenizer,
  sample: Sample,
  settings: TokenizeSettings,
): FittedSample | "dropped" | "too_long" {
  const prefix = prefixLength(tokenizer, sample.promptIds);
  const fitted = fitDemonstration({ ...sample, prefix }, settings.maxLength, settings.params.truncation);
  if (fitted.kind === "dropped" || fitted.kind === "too_long") return fitted.kind;
  const { promptIds, responseIds } = fitted;
  const lossMask = new Uint8Array(promptIds.length + responseIds.length).fill(1, promptIds.length);
  if (sample.responseMask !== undefined) {
    lossMask.set(sample.responseMask.subarray(0, responseIds.length), promptIds.length);
  }
  const inputIds = new Int32Array(lossMask.length);
  inputIds.set(promptIds);
  inputIds.set(responseIds, promptIds.length);
  return {
    ...sample,
    isCut: fitted.kind === "cut",
    row: { id: sample.id, inputIds, lossMask, source: sample.source },
  };
}

function refuseEqualIds(file: string, samples: readonly Sample[]): void {
  const sourceOf = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { id, source } of samples) {
    const other = sourceOf.get(id);
    if (other === undefined) sourceOf.set(id, source);
    else problems.push({ at: source, what: `id ${JSON.stringify(id)} is that of ${other}` });
  }
  refuseProblems(file, "every demonstration must have an id of its own", problems);
}

function refuseEmpty(file: string, set: string, rows: number, dropped: number, fraction: number): void {
  if (rows > 0) return;
  const split = fraction > 0 ? ` with validation_fraction ${fraction}` : "";
  throw new DataError(
    `Cannot tokenize ${file} as the ${set} set must have rows: it has none${split}, ${dropped} dropped as too long`,
    { file },
  );
}
