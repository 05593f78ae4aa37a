/**
 * Compares a tokenizer with golden cases made by the Rust library: ids with and without the template, decoded texts with and
 * without special tokens, ids that no text encodes to, and ids that are decoded one at a time.
 * @module
 */
import { streamDecoder } from "./stream_decoder.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The part of a cases.json that is compared. */
export interface TokenizerCases {
  readonly cases: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly ids_without_special: readonly number[];
    readonly decoded: string;
    readonly decoded_skip_special: string;
    readonly decoded_without_special: string;
  }[];
  readonly decode: readonly {
    readonly ids: readonly number[];
    readonly decoded: string;
    readonly decoded_skip_special: string;
  }[];
  readonly stream?: readonly {
    readonly ids: readonly number[];
    readonly skip_special_tokens: boolean;
    readonly concatenation: string;
  }[];
}

/** One value that differs. */
export interface CaseDifference {
  /** name of the field in cases.json */
  readonly field: string;
  /** the text or the ids that were given */
  readonly input: string | readonly number[];
  readonly expected: string | readonly number[];
  readonly actual: string | readonly number[];
}

/** Returns all differences between `tokenizer` and `golden`, in the order of the file. */
export async function compareCases(
  tokenizer: Tokenizer,
  golden: TokenizerCases,
): Promise<CaseDifference[]> {
  const differences: CaseDifference[] = [];
  const compare = (difference: CaseDifference): void => {
    if (JSON.stringify(difference.expected) !== JSON.stringify(difference.actual)) {
      differences.push(difference);
    }
  };
  const texts = golden.cases.map(({ text }) => text);
  const whole = await tokenizer.encodeAll(texts);
  const bare = await tokenizer.encodeAll(texts, { special: false });
  for (const [k, { text, ids, ...expected }] of golden.cases.entries()) {
    compare({ field: "ids", input: text, expected: ids, actual: [...whole[k]!] });
    compare({
      field: "ids_without_special",
      input: text,
      expected: expected.ids_without_special,
      actual: [...bare[k]!],
    });
    compareTexts(ids, expected);
    const decoded = tokenizer.decode(expected.ids_without_special);
    compare({
      field: "decoded_without_special",
      input: text,
      expected: expected.decoded_without_special,
      actual: decoded,
    });
  }
  for (const { ids, ...expected } of golden.decode) compareTexts(ids, expected);
  for (const { ids, skip_special_tokens: skipSpecial, concatenation } of golden.stream ?? []) {
    const stream = streamDecoder(tokenizer.decode, { skipSpecial });
    const actual = ids.map((id) => stream.push(id)).join("");
    compare({ field: "stream", input: ids, expected: concatenation, actual });
  }
  return differences;

  function compareTexts(
    ids: readonly number[],
    expected: { readonly decoded: string; readonly decoded_skip_special: string },
  ): void {
    const skipped = tokenizer.decode(ids, { skipSpecial: true });
    compare({ field: "decoded", input: ids, expected: expected.decoded, actual: tokenizer.decode(ids) });
    compare({
      field: "decoded_skip_special",
      input: ids,
      expected: expected.decoded_skip_special,
      actual: skipped,
    });
  }
}
