/**
 * Compares a tokenizer with golden cases made by the Rust library: ids with and without the template, decoded texts with and
 * without special tokens, ids that no text encodes to, and ids that are decoded one at a time.
 * @module
 */
import { streamDecoder } from "@/lib/data/text/stream_decoder.ts";
import type { Tokenizer } from "@/lib/data/text/tokenizer.ts";

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
  type Value = string | readonly number[];
  const compare = (field: string, input: Value, expected: Value, actual: Value): void => {
    if (JSON.stringify(expected) === JSON.stringify(actual)) return;
    differences.push({ field, input, expected, actual });
  };
  const compareTexts = (ids: readonly number[], expected: TokenizerCases["decode"][number]): void => {
    compare("decoded", ids, expected.decoded, tokenizer.decode(ids));
    const skipped = tokenizer.decode(ids, { skipSpecial: true });
    compare("decoded_skip_special", ids, expected.decoded_skip_special, skipped);
  };
  const texts = golden.cases.map(({ text }) => text);
  const whole = await tokenizer.encodeAll(texts);
  const bare = await tokenizer.encodeAll(texts, { special: false });
  for (const [k, expected] of golden.cases.entries()) {
    const { text, ids, ids_without_special: bareIds } = expected;
    compare("ids", text, ids, [...whole[k]!]);
    compare("ids_without_special", text, bareIds, [...bare[k]!]);
    compareTexts(ids, expected);
    compare("decoded_without_special", text, expected.decoded_without_special, tokenizer.decode(bareIds));
  }
  for (const expected of golden.decode) compareTexts(expected.ids, expected);
  for (const { ids, skip_special_tokens: skipSpecial, concatenation } of golden.stream ?? []) {
    const stream = streamDecoder(tokenizer.decode, { skipSpecial });
    compare("stream", ids, concatenation, ids.map((id) => stream.push(id)).join(""));
  }
  return differences;
}
