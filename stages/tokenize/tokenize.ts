/**
 * The stage without files: rows of texts to rows of ids, split, cut to length and counted. Equal inputs, parameters and
 * seed give equal rows.
 * In: a user's rows and a model's chosen answers. Out: the rows of the four output files and what the report tells.
 * @module
 */
import type { UserRow } from "@/lib/demonstrations/user_rows.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import { drawDemonstrations } from "./draw.ts";
import { encodePrompts, type PromptSet, promptsOfSamples } from "./prompt_rows.ts";
import {
  type DemonstrationInput,
  type Source,
  type TokenizeSettings,
  type TokenSet,
  tokenSets,
} from "./token_sets.ts";

/** All that the stage was given; at least one source. */
export interface TokenizeInput extends DemonstrationInput {
  readonly prompts?: Source<UserRow> | undefined;
  readonly evalPrompts?: Source<UserRow> | undefined;
}

/** What the stage writes. A set is undefined where nothing was given for it. */
export interface Tokenized {
  readonly train?: TokenSet;
  readonly validation?: TokenSet;
  readonly prompts?: PromptSet;
  readonly evalPrompts?: PromptSet;
}

/**
 * Tokenizes everything.
 * @throws {DataError} listing the rows that cannot be tokenized, or if a set that was asked for comes out empty.
 */
export async function tokenize(
  tokenizer: Tokenizer,
  input: TokenizeInput,
  settings: TokenizeSettings,
): Promise<Tokenized> {
  // Nobody needs held-back demonstrations for their prompts where evaluation has prompts of its own.
  const validation_fraction = settings.params.validation_fraction ?? (input.evalPrompts ? 0 : null);
  const all = await tokenSets(tokenizer, input, {
    ...settings,
    params: { ...settings.params, validation_fraction },
  });
  const sets = { ...all, ...(all.train && { train: drawnOf(all.train, input, settings) }) };
  const derived = (set: TokenSet | undefined, isEval: boolean): PromptSet | undefined =>
    set === undefined ? undefined : promptsOfSamples(tokenizer, set.samples, settings, isEval);
  const prompts = input.prompts === undefined
    ? derived(sets.train, false)
    : await encodePrompts(tokenizer, input.prompts, settings);
  const evalPrompts = input.evalPrompts === undefined
    ? derived(sets.validation, true)
    : await encodePrompts(tokenizer, input.evalPrompts, settings);
  return {
    ...sets,
    ...(prompts === undefined ? {} : { prompts }),
    ...(evalPrompts === undefined ? {} : { evalPrompts }),
  };
}

/** What is left to learn of `train` where only a number of demonstrations is wanted. */
function drawnOf(
  train: TokenSet,
  input: DemonstrationInput,
  { draw: count, seed }: TokenizeSettings,
): TokenSet {
  if (count === undefined) return train;
  const files = [input.demonstrations?.file, input.rollouts?.file].filter((file) => file !== undefined);
  return drawDemonstrations(train, { count, seed, file: files.join(" and ") });
}
