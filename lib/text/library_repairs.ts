/**
 * Where `@huggingface/tokenizers` 0.2.0 differs from the Rust library (tokenizers 0.22.2) that models were trained
 * with, its parts are put right here, instance by instance. Each repair is named for the golden cases that it mends.
 * In: a tokenizer of the library. Out: the same one, mended in place.
 * @module
 */
import {
  BPE,
  ByteFallbackDecoder,
  ByteLevelPreTokenizer,
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

const SPACES_AT_END = /\p{White_Space}+$/u;
const SPACES_AT_START = /^\p{White_Space}+/u;

/** GPT-2's pattern. JavaScript's \s takes U+FEFF for white space and U+0085 for none. */
const BYTE_LEVEL = new RegExp(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\p{White_Space}\\p{L}\\p{N}]+|" +
    "\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+",
  "gu",
);

/** An added token's rules for its surroundings. */
interface Surroundings {
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
}

/** What the repairs touch of the library's private fields; version 0.2.0 is pinned for it. */
interface Inside {
  readonly added_tokens_map: ReadonlyMap<string, Surroundings>;
  readonly splitter_unnormalized: { split: (text: string) => string[] };
  readonly splitter_normalized: { split: (text: string) => string[] };
}

/** Mends `tokenizer` in place. */
export function repairLibrary(tokenizer: LibraryTokenizer): void {
  repairPreTokenizer(tokenizer.pre_tokenizer);
  repairDecoder(tokenizer.decoder);
  repairAddedTokens(tokenizer as unknown as Inside);
  repairVocabulary(tokenizer);
}

/**
 * The library adds the added tokens to the model's vocabulary. With `ignore_merges`, a piece of plain text that spells
 * one would become it, although its surroundings forbid that.
 */
function repairVocabulary(tokenizer: LibraryTokenizer): void {
  const { model } = tokenizer;
  if (!(model instanceof BPE)) return;
  const own = (model.config as unknown as { readonly vocab: Readonly<Record<string, number>> }).vocab;
  for (const { content } of tokenizer.get_added_tokens_decoder().values()) {
    if (!Object.hasOwn(own, content)) model.tokens_to_ids.delete(content);
  }
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
  } else if (part instanceof ByteLevelPreTokenizer) {
    part.pattern = BYTE_LEVEL;
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

/**
 * bpe_llama3: an added token with `single_word` counts only between non-word characters, and `lstrip` and `rstrip` take
 * Unicode's white space; the library ignores the first and strips JavaScript's. Both are done here, and the library's
 * own stripping is switched off.
 */
function repairAddedTokens(inside: Inside): void {
  const rules = new Map<string, Surroundings>();
  for (const [content, token] of inside.added_tokens_map) rules.set(content, { ...token });
  for (const token of inside.added_tokens_map.values()) token.lstrip = token.rstrip = false;
  if (![...rules.values()].some((rule) => rule.single_word || rule.lstrip || rule.rstrip)) return;
  for (const splitter of [inside.splitter_unnormalized, inside.splitter_normalized]) {
    const split = splitter.split.bind(splitter);
    splitter.split = (text) => stripAround(joinRejected(text, split(text), rules), rules);
  }
}

/** Puts the pieces of `text` that are no tokens after all back into the plain text around them. */
function joinRejected(
  text: string,
  pieces: readonly string[],
  rules: ReadonlyMap<string, Surroundings>,
): string[] {
  const joined: string[] = [];
  let at = 0;
  let followsText = false;
  for (const piece of pieces) {
    const rule = rules.get(piece);
    const isInWord = ENDS_WITH_WORD.test(text.slice(0, at)) ||
      STARTS_WITH_WORD.test(text.slice(at + piece.length));
    const isText = rule === undefined || (rule.single_word && isInWord);
    if (isText && followsText) joined[joined.length - 1] += piece;
    else joined.push(piece);
    followsText = isText;
    at += piece.length;
  }
  return joined;
}

/** Takes the white space from plain text beside tokens that swallow it. */
function stripAround(pieces: readonly string[], rules: ReadonlyMap<string, Surroundings>): string[] {
  return pieces.map((piece, k) => {
    if (rules.has(piece)) return piece;
    const start = rules.get(pieces[k - 1] ?? "")?.rstrip ? piece.replace(SPACES_AT_START, "") : piece;
    return rules.get(pieces[k + 1] ?? "")?.lstrip ? start.replace(SPACES_AT_END, "") : start;
  });
}
