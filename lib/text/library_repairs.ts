/**
 * Where `@huggingface/tokenizers` 0.2.0 differs from the Rust library (tokenizers 0.22.2) that models were trained
 * with, its parts are put right here, instance by instance. Each repair is named for the golden cases that it mends.
 * In: a tokenizer of the library. Out: the same one, mended in place.
 * @module
 */
import {
  ByteFallbackDecoder,
  DigitsPreTokenizer,
  SequenceDecoder,
  SequencePreTokenizer,
  type Tokenizer as LibraryTokenizer,
  WhitespacePreTokenizer,
} from "@huggingface/tokenizers";

/** Rust's `\w`: UTS #18, annex C. */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const ENDS_WITH_WORD = new RegExp(`[${WORD}]$`, "u");
const STARTS_WITH_WORD = new RegExp(`^[${WORD}]`, "u");

/** What the repairs touch of the library's private fields; version 0.2.0 is pinned for it. */
interface Inside {
  readonly added_tokens_map: ReadonlyMap<string, { readonly single_word: boolean }>;
  readonly splitter_unnormalized: { split: (text: string) => string[] };
  readonly splitter_normalized: { split: (text: string) => string[] };
}

/** Mends `tokenizer` in place. */
export function repairLibrary(tokenizer: LibraryTokenizer): void {
  repairPreTokenizer(tokenizer.pre_tokenizer);
  repairDecoder(tokenizer.decoder);
  repairSingleWords(tokenizer as unknown as Inside);
}

function repairPreTokenizer(part: unknown): void {
  if (part instanceof SequencePreTokenizer) {
    part.tokenizers.forEach(repairPreTokenizer);
  } else if (part instanceof DigitsPreTokenizer) {
    // smollm2, bpe_gpt2_digits: Rust splits at char::is_numeric (½, ①, 𝟙), the library at decimal digits alone
    part.pattern = new RegExp(`\\P{N}+|\\p{N}${part.config.individual_digits ? "" : "+"}`, "gu");
  } else if (part instanceof WhitespacePreTokenizer) {
    // bpe_nfkc_lower: the library's \w is ASCII and cuts "café" in two
    const pattern = new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, "gu");
    part.pre_tokenize_text = (text) => text.match(pattern) ?? [];
  }
}

function repairDecoder(part: unknown): void {
  if (part instanceof SequenceDecoder) {
    part.decoders.forEach(repairDecoder);
  } else if (part instanceof ByteFallbackDecoder) {
    // stories260k, bpe_llama2: broken bytes, and U+FEFF, which the library's decoder swallows
    part.text_decoder = { decode: decodeByteRun } as unknown as TextDecoder;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A run of byte tokens as text; a run that is not UTF-8 as a whole is one U+FFFD per byte, as in Rust. */
function decodeByteRun(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return "\uFFFD".repeat(bytes.length);
  }
}

/** bpe_llama3: added tokens with `single_word` count only between non-word characters; the library takes them anywhere. */
function repairSingleWords(inside: Inside): void {
  const tokens = inside.added_tokens_map;
  if (![...tokens.values()].some((token) => token.single_word)) return;
  for (const splitter of [inside.splitter_unnormalized, inside.splitter_normalized]) {
    const split = splitter.split.bind(splitter);
    splitter.split = (text) => joinRejected(text, split(text), tokens);
  }
}

/** Puts the pieces of `text` that are no tokens after all back into the plain text around them. */
function joinRejected(text: string, pieces: readonly string[], tokens: Inside["added_tokens_map"]): string[] {
  const joined: string[] = [];
  let at = 0;
  let followsText = false;
  for (const piece of pieces) {
    const token = tokens.get(piece);
    const isInWord = ENDS_WITH_WORD.test(text.slice(0, at)) ||
      STARTS_WITH_WORD.test(text.slice(at + piece.length));
    const isText = token === undefined || (token.single_word && isInWord);
    if (isText && followsText) joined[joined.length - 1] += piece;
    else joined.push(piece);
    followsText = isText;
    at += piece.length;
  }
  return joined;
}
