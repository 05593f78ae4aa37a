/**
 * A model's tokenizer: text to ids and back, by the Rust library `tokenizers` that models were trained with, see
 * docs/tokenizers.md.
 * @module
 */
import type * as Library from "tokenizers";
import { digestFile } from "@/lib/data/files/digest.ts";
import { reasonOf } from "@/lib/data/files/file_errors.ts";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { nativeLibrary } from "./native_library.ts";
import { surroundingsOf } from "./post_processor.ts";
import { type SpecialIds, specialIds, type TokenizerFiles } from "./special_ids.ts";
import { readTokenizerFiles } from "./load_special_ids.ts";
import { checkTokenizerSpec, type JsonObject } from "./tokenizer_file.ts";

/** Ids and the part of the text that each of them encodes, in UTF-16 units. */
export interface Encoded {
  readonly ids: Int32Array<ArrayBuffer>;
  readonly starts: Int32Array<ArrayBuffer>;
  readonly ends: Int32Array<ArrayBuffer>;
}

/** Converts text to token ids and back. */
export interface Tokenizer extends SpecialIds {
  /**
   * Returns the ids of `text`. Special tokens in the text become their ids in any case. Half a surrogate pair becomes
   * U+FFFD.
   * @param options.special whether to add the special tokens of the tokenizer's template, such as BOS; default true
   */
  readonly encode: (
    text: string,
    options?: { readonly special?: boolean },
  ) => Promise<Int32Array<ArrayBuffer>>;
  /** Returns `encode` of many texts, on all threads. */
  readonly encodeAll: (
    texts: readonly string[],
    options?: { readonly special?: boolean },
  ) => Promise<Int32Array<ArrayBuffer>[]>;
  /** Returns `encodeAll` without the template's special tokens, with the place of each token. */
  readonly encodeWithPlaces: (texts: readonly string[]) => Promise<Encoded[]>;
  /**
   * Returns the text of `ids` by the tokenizer's decoder, without a clean-up of spaces. Ids beyond the vocabulary (padding
   * rows of an embedding) have no text and are skipped, as in Rust.
   * @param options.skipSpecial whether to skip special tokens; default false
   */
  readonly decode: (ids: ArrayLike<number>, options?: { readonly skipSpecial?: boolean }) => string;
  /** ids that the template adds before a text, for example BOS */
  readonly prefixIds: readonly number[];
  /** ids that the template adds after a text; none for causal models */
  readonly suffixIds: readonly number[];
  /** number of tokens with added ones; a model's embedding may have more rows */
  readonly vocabSize: number;
  /** context length in tokens, from the model's config.json; null if config.json has none */
  readonly contextLength: number | null;
  /**
   * Returns a lower bound of the tokens of `text` without encoding it: its length divided by that of the longest token,
   * with a factor of 4 for what normalisers join, and with runs of white space counted once.
   */
  readonly leastTokens: (text: string) => number;
  /** Returns the id of a token by its exact text, or undefined. */
  readonly idOf: (token: string) => number | undefined;
  /** SHA-256 of tokenizer.json, in hexadecimal digits */
  readonly digest: string;
}

/**
 * Returns the tokenizer of the model in `modelDir`: of tokenizer.json, and of tokenizer_config.json,
 * special_tokens_map.json, generation_config.json and config.json if they exist. Truncation and padding in tokenizer.json
 * are ignored.
 * @throws {DataError} if there is no tokenizer.json, or a file is invalid
 */
export function loadTokenizer(modelDir: string): Tokenizer {
  const file = `${modelDir}/tokenizer.json`;
  const spec = readJsonObject(file);
  return tokenizerOf(spec, { file, digest: digestFile(file), files: readTokenizerFiles(modelDir, spec) });
}

/** Returns the tokenizer of a parsed tokenizer.json. */
export function tokenizerOf(
  spec: JsonObject,
  origin: { readonly file: string; readonly digest: string; readonly files: TokenizerFiles },
): Tokenizer {
  checkTokenizerSpec(spec, origin.file);
  const library = createLibraryTokenizer(spec, origin.file);
  const vocabulary = library.getVocab(true);
  const idOf = (token: string): number | undefined =>
    Object.hasOwn(vocabulary, token) ? vocabulary[token] : undefined;
  const vocabSize = library.getVocabSize(true);
  const added = spec.added_tokens as readonly { readonly content: string; readonly special?: boolean }[];
  // by text, not by id: a vocabulary may repeat a piece, as unigram models do with <unk>
  const specials = new Set(added.filter(({ special }) => special).map(({ content }) => content));
  const tokens = Array.from({ length: vocabSize }, (_, id) => library.idToToken(id) ?? "");
  const decoder = library.getDecoder();
  const encodeAll: Tokenizer["encodeAll"] = (texts, options = {}) =>
    inBatches(
      texts,
      (batch) =>
        encoded(library.encodeBatch(batch, { addSpecialTokens: options.special ?? true }), origin.file),
      (encoding) => new Int32Array(encoding.getIds()),
    );
  const encodeWithPlaces: Tokenizer["encodeWithPlaces"] = (texts) =>
    inBatches(
      texts,
      (batch) => encoded(library.encodeBatch(batch, { addSpecialTokens: false }), origin.file),
      placed,
    );
  // The addon decodes ids asynchronously only. This does the same synchronously: a stop text must be found before the next
  // token is drawn.
  const decode: Tokenizer["decode"] = (ids, options = {}) => {
    const skipSpecial = options.skipSpecial ?? false;
    const texts = Array.from(ids, (id) => tokens[id]).filter((token): token is string =>
      token !== undefined && !(skipSpecial && specials.has(token))
    );
    return decoder === null ? texts.join(" ") : decoder.decode(texts);
  };
  return {
    ...specialIds(origin.files, idOf, vocabSize),
    ...surroundingsOf(spec.post_processor),
    encode: async (text, options) => (await encodeAll([text], options))[0]!,
    encodeAll,
    encodeWithPlaces,
    decode,
    idOf,
    vocabSize,
    contextLength: contextLengthOf(origin.files.config ?? {}, origin.files.dir),
    leastTokens: leastTokensBy(tokens),
    digest: origin.digest,
  };
}

/**
 * Encodes texts in batches, since the library's encodings need far more memory than ids. While one batch is read here, the
 * library encodes the next.
 */
async function inBatches<T>(
  texts: readonly string[],
  encode: (batch: string[]) => Promise<Library.Encoding[]>,
  read: (encoding: Library.Encoding, text: string) => T,
): Promise<T[]> {
  const batches = batchesOf(texts);
  const results: T[] = [];
  let ahead = batches[0] === undefined ? undefined : encode(batches[0]);
  for (const [k, batch] of batches.entries()) {
    const encodings = await ahead!;
    ahead = batches[k + 1] === undefined ? undefined : encode(batches[k + 1]!);
    for (const [at, encoding] of encodings.entries()) results.push(read(encoding, batch[at]!));
  }
  return results;
}

/** Returns what the library gives; what it refuses only now is wrong in tokenizer.json. */
async function encoded(encoding: Promise<Library.Encoding[]>, file: string): Promise<Library.Encoding[]> {
  try {
    return await encoding;
  } catch (cause) {
    throw new DataError(`${file} cannot encode a text: ${(cause as Error).message}`, { file }, { cause });
  }
}

/** Returns `texts` in batches of limited number and, except for a single text, limited length. */
function batchesOf(texts: readonly string[]): string[][] {
  const batches: string[][] = [];
  let batch: string[] = [], length = 0;
  for (const text of texts) {
    if (batch.length > 0 && (batch.length === BATCH_TEXTS || length + text.length > BATCH_LENGTH)) {
      batches.push(batch);
      [batch, length] = [[], 0];
    }
    batch.push(text);
    length += text.length;
  }
  return batch.length > 0 ? [...batches, batch] : batches;
}

/** Returns ids and places of an encoding. Rust counts code points; without surrogates they equal UTF-16 units. */
function placed(encoding: Library.Encoding, text: string): Encoded {
  const offsets = encoding.getOffsets();
  const ids = new Int32Array(encoding.getIds());
  const starts = new Int32Array(offsets.length), ends = new Int32Array(offsets.length);
  const units = /[\ud800-\udfff]/.test(text) ? codePointStarts(text) : undefined;
  for (let k = 0; k < offsets.length; k++) {
    const [start, end] = offsets[k] as [number, number];
    starts[k] = units === undefined ? start : units[start]!;
    ends[k] = units === undefined ? end : units[end]!;
  }
  return { ids, starts, ends };
}

/** Returns the start of each code point of `text`, and the end of the text. */
function codePointStarts(text: string): number[] {
  const starts: number[] = [];
  let at = 0;
  for (const character of text) {
    starts.push(at);
    at += character.length;
  }
  return [...starts, at];
}

/** Limits of a batch: texts, and their UTF-16 units together. */
const BATCH_TEXTS = 1024, BATCH_LENGTH = 1 << 20;

/** Names of the context length in config.json, most common first. */
const CONTEXT_KEYS = ["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"];

function contextLengthOf(config: JsonObject, dir: string): number | null {
  const key = CONTEXT_KEYS.find((name) => config[name] !== undefined && config[name] !== null);
  if (key === undefined) return null;
  const value = config[key];
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  const file = `${dir}/config.json`;
  throw new DataError(
    `${file}: ${key} must be an integer of at least 1, got ${JSON.stringify(value)}`,
    { file },
  );
}

function leastTokensBy(tokens: readonly string[]): Tokenizer["leastTokens"] {
  const longest = tokens.reduce((most, token) => Math.max(most, token.length), 1);
  return (text) => Math.floor(text.replace(/\s{2,}/g, " ").length / (4 * longest));
}

function createLibraryTokenizer(spec: JsonObject, file: string): Library.Tokenizer {
  const { Tokenizer } = nativeLibrary();
  try {
    return Tokenizer.fromString(JSON.stringify({ ...spec, truncation: null, padding: null }));
  } catch (error) {
    throw new DataError(`${file}: invalid tokenizer: ${reasonOf(error)}`, { file }, { cause: error });
  }
}
