/**
 * The stage without files: rows of texts become rows of ids, split, truncated and counted. Equal inputs, parameters and seed
 * give equal rows.
 * @module
 */
import type { UserRow } from "@/lib/data/demonstrations/user_rows.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import { drawDemonstrations } from "./draw.ts";
import { auditSplit, selectionSplit } from "./set_aside.ts";
import { encodePromptSet, type PromptSet, promptsOfSamples } from "./prompt_rows.ts";
import type { Source } from "./samples.ts";
import {
  type DemonstrationInput,
  fileNames,
  type TokenizeSettings,
  type TokenSet,
  tokenSets,
} from "./token_sets.ts";

/** The rows of all inputs; at least one source. */
export interface TokenizeInput extends DemonstrationInput {
  readonly prompts?: Source<UserRow> | undefined;
  readonly evalPrompts?: Source<UserRow> | undefined;
}

/** The rows of all outputs; undefined for those without a source. */
export interface Tokenized {
  readonly train?: TokenSet | undefined;
  readonly validation?: TokenSet | undefined;
  readonly prompts?: PromptSet | undefined;
  readonly evalPrompts?: PromptSet | undefined;
  /** set aside from `train` */
  readonly audit?: TokenSet | undefined;
  /** set aside from `evalPrompts` */
  readonly selectionPrompts?: PromptSet | undefined;
  readonly warnings: readonly string[];
}

/**
 * Tokenizes all inputs.
 * @throws {DataError} listing the rows that cannot be tokenized, or if a set is empty
 */
export async function tokenize(
  tokenizer: Tokenizer,
  input: TokenizeInput,
  settings: TokenizeSettings,
): Promise<Tokenized> {
  // With evaluation prompts, none need to be held out.
  const validation_fraction = settings.params.validation_fraction ?? (input.evalPrompts ? 0 : null);
  const params = { ...settings.params, validation_fraction };
  const { train: all, validation } = await tokenSets(tokenizer, input, { ...settings, params });
  const { draw: count, seed } = settings;
  const drawn = all && count !== undefined
    ? drawDemonstrations(all, { count, seed, file: fileNames(input) })
    : all;
  const { audit_fraction = 0, selection_fraction = 0 } = params;
  const { train, audit, warning } = drawn
    ? auditSplit(drawn, { fraction: audit_fraction, seed, file: fileNames(input) })
    : {};
  const prompts = input.prompts === undefined
    ? train && promptsOfSamples(tokenizer, train.samples, settings, false)
    : await encodePromptSet(tokenizer, input.prompts, settings);
  const evalPrompts = input.evalPrompts === undefined
    ? validation && promptsOfSamples(tokenizer, validation.samples, settings, true)
    : await encodePromptSet(tokenizer, input.evalPrompts, settings);
  const selection = evalPrompts && selection_fraction > 0
    ? selectionSplit(evalPrompts, validation, { fraction: selection_fraction, seed })
    : { evalPrompts, validation };
  return { train, audit, prompts, ...selection, warnings: warning === undefined ? [] : [warning] };
}
