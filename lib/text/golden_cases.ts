/**
 * Compares a tokenizer with golden cases that the Rust library made: ids with and without the template, decoded texts
 * with and without special tokens, and ids that no text would give.
 * In: a parsed cases.json and a tokenizer. Out: every difference.
 * @module
 */
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
}

/** One value that differs. */
export interface CaseDifference {
  /** name of the field in cases.json */
  readonly field: string;
  /** the text or the ids that went in */
  readonly input: string | readonly number[];
  readonly expected: string | readonly number[];
  readonly actual: string | readonly number[];
}

/** All differences between `tokenizer` and `golden`, in the order of the file. */
export function compareCases(tokenizer: Tokenizer, golden: TokenizerCases): CaseDifference[] {
  const differences: CaseDifference[] = [];
  const compare = (difference: CaseDifference): void => {
    if (JSON.stringify(difference.expected) !== JSON.stringify(difference.actual)) {
      differences.push(difference);
    }
  };
  for (const { text, ids, ...expected } of golden.cases) {
    const bare = [...tokenizer.encode(text, { special: false })];
    compare({ field: "ids", input: text, expected: ids, actual: [...tokenizer.encode(text)] });
    compare({
      field: "ids_without_special",
      input: text,
      expected: expected.ids_without_special,
      actual: bare,
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
