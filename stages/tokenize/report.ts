/**
 * The object of report.json: counts, lengths, truncated, dropped and repeated rows, and three example rows. It has no times and
 * no paths, so that equal inputs give equal bytes.
 * @module
 */
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";
import type { PairSet } from "./make_pairs.ts";
import type { PromptSet } from "./prompt_rows.ts";
import type { Selection } from "./select_rollouts.ts";
import type { FittedSample, TokenizeSettings, TokenSet } from "./token_sets.ts";
import type { Tokenized } from "./tokenize.ts";

/** Number of example rows. */
const EXAMPLES = 3;

/** Returns the object of report.json. */
export function tokenizeReport(
  tokenizer: Tokenizer,
  result: Tokenized & { readonly pairs?: PairSet | undefined },
  settings: TokenizeSettings,
  selection: Selection | undefined,
) {
  const { train, validation, audit, prompts, evalPrompts, selectionPrompts, pairs } = result;
  const trainPrompts = new Set(train?.samples.map(({ prompt }) => prompt));
  const examples = (train ?? validation)?.samples.slice(0, EXAMPLES) ?? [];
  return {
    format: "tokenize_report@2",
    tokenizer: {
      digest: tokenizer.digest,
      vocab_size: tokenizer.vocabSize,
      bos_id: tokenizer.bosId,
      eos_ids: tokenizer.eosIds,
      prefix_ids: tokenizer.prefixIds,
    },
    max_length: settings.maxLength,
    max_prompt_length: settings.maxPromptLength,
    rollouts: selection === undefined ? null : {
      offered: selection.offered,
      ended: selection.ended,
      selected: selection.rows.length,
    },
    train: train === undefined ? null : tokenSetReport(train),
    validation: validation === undefined ? null : tokenSetReport(validation),
    ...(audit === undefined ? {} : { audit: tokenSetReport(audit) }),
    prompts: prompts === undefined ? null : promptSetReport(prompts, trainPrompts),
    eval_prompts: evalPrompts === undefined ? null : promptSetReport(evalPrompts, trainPrompts),
    ...(selectionPrompts === undefined
      ? {}
      : { selection_prompts: promptSetReport(selectionPrompts, trainPrompts) }),
    ...(pairs === undefined ? {} : { pairs: pairSetReport(pairs) }),
    examples: examples.map((sample) => exampleOf(tokenizer, sample)),
  };
}

/** The object of report.json. */
export type TokenizeReport = ReturnType<typeof tokenizeReport>;

function tokenSetReport({ samples, dropped, unsupervised, drawnFrom }: TokenSet) {
  const lengths = samples.map(({ row }) => row.inputIds.length);
  const supervised = samples.map(({ row }) => row.lossMask.reduce((sum, mask) => sum + mask, 0));
  const distinct = new Set(samples.map(({ row }) => row.inputIds.join()));
  return {
    rows: samples.length,
    ...(drawnFrom === undefined ? {} : { drawn_from: drawnFrom }),
    distinct_prompts: new Set(samples.map(({ prompt }) => prompt)).size,
    repeated_rows: samples.length - distinct.size,
    dropped,
    unsupervised,
    truncated: samples.filter(({ isTruncated }) => isTruncated).length,
    boundary_splits: samples.filter(({ isSplit }) => isSplit).length,
    tokens: sumOf(lengths),
    supervised_tokens: sumOf(supervised),
    length: quantilesOf(lengths),
    prompt_length: quantilesOf(lengths.map((length, k) => length - supervised[k]!)),
    response_length: quantilesOf(supervised),
  };
}

function promptSetReport({ rows, texts, truncated, dropped }: PromptSet, trainPrompts: ReadonlySet<string>) {
  return {
    rows: rows.length,
    repeated_rows: rows.length - new Set(texts).size,
    in_train: texts.filter((text) => trainPrompts.has(text)).length,
    dropped,
    truncated,
    prompt_length: quantilesOf(rows.map(({ promptIds }) => promptIds.length)),
  };
}

function pairSetReport({ rows, ...counts }: PairSet) {
  return {
    rows: rows.length,
    ...counts,
    chosen_length: quantilesOf(rows.map(({ chosenIds }) => chosenIds.length)),
    rejected_length: quantilesOf(rows.map(({ rejectedIds }) => rejectedIds.length)),
  };
}

/**
 * Returns the text of a row in runs of equal mask, with `<s>` and `</s>`. The text of a run is what it adds to the text
 * before it: decoded separately, it would lose its leading space.
 */
function exampleOf(tokenizer: Tokenizer, { row }: FittedSample) {
  const { inputIds, lossMask } = row;
  const segments: { mask: number; tokens: number; text: string }[] = [];
  let before = "";
  for (let start = 0; start < inputIds.length;) {
    const mask = lossMask[start]!;
    let end = start + 1;
    while (end < inputIds.length && lossMask[end] === mask) end++;
    const text = tokenizer.decode(inputIds.subarray(0, end));
    const added = text.startsWith(before)
      ? text.slice(before.length)
      : tokenizer.decode(inputIds.subarray(start, end));
    segments.push({ mask, tokens: end - start, text: added });
    before = text;
    start = end;
  }
  return { id: row.id, source: row.source, segments };
}

/** Returns minimum, quartiles, 90th and 99th percentile and maximum, by nearest rank: each is one of the values. */
export function quantilesOf(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
  return { min: at(0), p25: at(0.25), p50: at(0.5), p75: at(0.75), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
