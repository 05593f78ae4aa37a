/**
 * Demonstrations as the two token files, train and validation: split by prompt, truncated to length. The file of a row depends
 * on its prompt and the seed only, not on other rows.
 * @module
 */
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { TokenRow } from "@/lib/data/contracts/tokens.ts";
import { refuseProblems, type RowProblem } from "@/lib/data/demonstrations/problems.ts";
import type { UserRow } from "@/lib/data/demonstrations/user_rows.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import type { Chat } from "./encode_chats.ts";
import { textOf } from "./encode_contents.ts";
import { prefixLength } from "./encode_rows.ts";
import { fitDemonstration } from "./fit.ts";
import type { Params } from "./params.ts";
import { type Sample, samplesOfDemonstrations, samplesOfRollouts, type Source } from "./samples.ts";
import { DEFAULT_FRACTION, isValidation, sufficientFraction } from "./split.ts";

/** Sources of demonstrations; either, both or none. */
export interface DemonstrationInput {
  readonly demonstrations?: Source<UserRow> | undefined;
  readonly rollouts?: Source<RolloutRow> | undefined;
}

/** Settings of the stage for one model. */
export interface TokenizeSettings {
  readonly params:
    & Pick<Params, "boundary" | "truncation" | "validation_fraction">
    & Partial<Pick<Params, "audit_fraction" | "selection_fraction">>;
  /** maximum length of a demonstration in tokens */
  readonly maxLength: number;
  /** maximum length of a prompt in tokens */
  readonly maxPromptLength: number;
  readonly seed: number;
  /** number of training demonstrations to draw; undefined: all */
  readonly draw?: number;
  /** undefined: prompts and responses are plain text */
  readonly chat?: Chat | undefined;
  /** stops between two conversations when it is aborted */
  readonly signal?: AbortSignal;
}

/** A demonstration of limited length. */
export interface FittedSample extends Sample {
  readonly row: TokenRow;
  readonly isTruncated: boolean;
}

/** One output file of demonstrations, with counts of the rows that are not in it. */
export interface TokenSet {
  readonly samples: readonly FittedSample[];
  /** rows that are too long */
  readonly dropped: number;
  /** rows without anything to learn */
  readonly unsupervised: number;
  /** number of demonstrations that the samples were drawn from; undefined: nothing was drawn */
  readonly drawnFrom?: number;
}

/**
 * Returns train and validation; no validation if validation_fraction is 0, and neither without demonstrations.
 * @throws {DataError} listing the rows that cannot be tokenized, or if a set is empty
 */
export async function tokenSets(
  tokenizer: Tokenizer,
  input: DemonstrationInput,
  settings: TokenizeSettings,
): Promise<{ readonly train?: TokenSet; readonly validation?: TokenSet }> {
  const { params, maxLength, seed, chat, signal } = settings;
  const { demonstrations, rollouts } = input;
  if (demonstrations === undefined && rollouts === undefined) return {};
  const user = demonstrations === undefined
    ? { samples: [], farTooLong: [], unsupervised: [] }
    : await samplesOfDemonstrations(tokenizer, demonstrations, { ...params, maxLength, chat, signal });
  const model = rollouts === undefined ? [] : samplesOfRollouts(tokenizer, rollouts);
  const file = fileNames(input), samples = [...user.samples, ...model];
  refuseEqualIds(file, samples);

  const fraction = sufficientFraction(
    params.validation_fraction ?? DEFAULT_FRACTION,
    samples.map(splitKey),
    seed,
  );
  if (fraction > 0 && new Set(samples.map(splitKey)).size === 1) {
    throw new DataError(
      `${file}: a validation split requires demonstrations of at least 2 prompts, got 1 ` +
        "(validation_fraction=0 holds out none)",
      { file },
    );
  }
  const train = { samples: [] as FittedSample[], dropped: 0, unsupervised: 0 };
  const validation = { samples: [] as FittedSample[], dropped: 0, unsupervised: 0 };
  const setOf = (key: string) => isValidation(key, seed, fraction) ? validation : train;
  for (const { content } of user.farTooLong) setOf(textOf(content)).dropped++;
  for (const { content } of user.unsupervised) setOf(textOf(content)).unsupervised++;
  const tooLong: RowProblem[] = user.farTooLong.map(({ at, line }) => ({ at, line, what: "far too long" }));
  for (const sample of samples) {
    const fitted = fitSample(tokenizer, sample, settings), set = setOf(splitKey(sample));
    if (fitted === "dropped") set.dropped++;
    else if (fitted !== "too_long") set.samples.push(fitted);
    else {
      const { at, line, promptIds, responseIds } = sample;
      tooLong.push({ at, line, what: `${promptIds.length + responseIds.length} tokens` });
    }
  }
  if (params.truncation === "error") {
    tooLong.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity));
    const limit = `prompt, response and end must have at most ${maxLength} tokens`;
    refuseProblems(file, `${limit} (or use --truncation drop, left or right)`, tooLong);
  }
  refuseEmpty(file, "train", train, fraction);
  if (fraction === 0) return { train };
  refuseEmpty(file, "validation", validation, fraction);
  return { train, validation };
}

/** Returns the names of the files of demonstrations, for messages. */
export function fileNames({ demonstrations, rollouts }: DemonstrationInput): string {
  return [demonstrations?.file, rollouts?.file].filter((file) => file !== undefined).join(" and ");
}

/** Returns the text that decides the set of a sample: its prompt, or all of a text without a prompt. */
export function splitKey({ prompt, response }: Sample): string {
  return prompt || response;
}

function fitSample(
  tokenizer: Tokenizer,
  sample: Sample,
  settings: TokenizeSettings,
): FittedSample | "dropped" | "too_long" {
  const prefix = prefixLength(tokenizer, sample.promptIds);
  const fitted = fitDemonstration({ ...sample, prefix }, settings.maxLength, settings.params.truncation);
  if (typeof fitted === "string") return fitted;
  const { promptIds, responseIds, isTruncated } = fitted;
  const lossMask = new Uint8Array(promptIds.length + responseIds.length).fill(1, promptIds.length);
  if (sample.responseMask !== undefined) {
    lossMask.set(sample.responseMask.subarray(0, responseIds.length), promptIds.length);
  }
  const inputIds = Int32Array.from([...promptIds, ...responseIds]);
  const row = { id: sample.id, inputIds, lossMask, source: sample.source };
  return { ...sample, isTruncated, row };
}

function refuseEqualIds(file: string, samples: readonly Sample[]): void {
  const sourceOf = new Map<string, string>();
  const problems: RowProblem[] = [];
  for (const { id, source } of samples) {
    const other = sourceOf.get(id);
    if (other === undefined) sourceOf.set(id, source);
    else problems.push({ at: source, what: `id ${JSON.stringify(id)} is already used by ${other}` });
  }
  refuseProblems(file, "every demonstration must have a unique id", problems);
}

function refuseEmpty(file: string, name: string, { samples, dropped }: TokenSet, fraction: number): void {
  if (samples.length > 0) return;
  const split = fraction > 0 ? ` with validation_fraction ${fraction}` : "";
  throw new DataError(
    `${file}: the ${name} set must not be empty, got no rows${split} (${dropped} dropped as too long)`,
    { file },
  );
}
