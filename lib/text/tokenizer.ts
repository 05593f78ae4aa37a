/**
 * A model's tokenizer: text to ids and back, by the Rust library `tokenizers` that models were trained with. This folder
 * is the only one that knows it; docs/tokenizers.md says why. In: a model directory in Hugging Face layout. Out: a `Tokenizer`.
 * @module
 */
import { createHash } from "node:crypto";
import type * as Library from "tokenizers";
import { DataError } from "@/lib/tensor/errors.ts";
import { nativeLibrary } from "./native_library.ts";
import { surroundingsOf } from "./post_processor.ts";
import { type SpecialIds, specialIds, type TokenizerFiles } from "./special_ids.ts";
import { turnEndOf } from "./turn_end.ts";
import {
  checkTokenizerSpec,
  isObject,
  type JsonObject,
  messageOf,
  readJsonObject,
} from "./tokenizer_file.ts";

/** Ids with the part of the text that each stands for, in UTF-16 units. */
export interface Encoded {
  readonly ids: Int32Array<ArrayBuffer>;
  readonly starts: Int32Array<ArrayBuffer>;
  readonly ends: Int32Array<ArrayBuffer>;
}

/** Turns text into token ids and back. */
export interface Tokenizer extends SpecialIds {
  /**
   * Ids of `text`. Special tokens that are written out in the text become their ids either way. Half a surrogate pair
   * becomes U+FFFD.
   * @param options.special whether the tokenizer's own template (BOS, for example) is put around; default true
   */
  readonly encode: (
    text: string,
    options?: { readonly special?: boolean },
  ) => Promise<Int32Array<ArrayBuffer>>;
  /** `encode` of many texts, on all threads. */
  readonly encodeAll: (
    texts: readonly string[],
    options?: { readonly special?: boolean },
  ) => Promise<Int32Array<ArrayBuffer>[]>;
  /** `encodeAll` without the tokenizer's template, and with the place of each token. */
  readonly encodeWithPlaces: (texts: readonly string[]) => Promise<Encoded[]>;
  /**
   * Text of `ids`: the tokenizer's own decoder and nothing else, no clean-up of spaces. Ids beyond the vocabulary (rows
   * that pad an embedding) have no text and are left out, as in Rust.
   * @param options.skipSpecial leaves special tokens out; default false
   */
  readonly decode: (ids: ArrayLike<number>, options?: { readonly skipSpecial?: boolean }) => string;
  /** what the template puts before a text, BOS for example */
  readonly prefixIds: readonly number[];
  /** what the template puts after a text; a causal model has none */
  readonly suffixIds: readonly number[];
  /** tokens including added ones; a model's embedding may have more rows */
  readonly vocabSize: number;
  /** tokens that the model can look back on, from its config.json; null where it does not say */
  readonly contextLength: number | null;
  /**
   * A number of tokens that `text` surely has, found without encoding it: its length by the longest token of the
   * vocabulary, with a factor of 4 for what normalisers join and with runs of white space counted once.
   */
  readonly leastTokens: (text: string) => number;
  /** id of a token by its exact text, undefined if there is none */
  readonly idOf: (token: string) => number | undefined;
  /** SHA-256 of tokenizer.json, in hexadecimal digits */
  readonly digest: string;
}

/**
 * The tokenizer of the model in `modelDir`: tokenizer.json, and tokenizer_config.json, special_tokens_map.json,
 * generation_config.json and config.json where they exist. Truncation and padding that tokenizer.json carries are off.
 * @throws {DataError} if there is no tokenizer.json, or one of the files is not what it must be.
 */
export function loadTokenizer(modelDir: string): Tokenizer {
  const file = `${modelDir}/tokenizer.json`;
  const spec = readJsonObject(file);
  if (spec === undefined) {
    throw new DataError(
      `Cannot load the tokenizer of ${modelDir} as it must hold tokenizer.json: there is none`,
      { file },
    );
  }
  return tokenizerOf(spec, {
    file,
    digest: createHash("sha256").update(Deno.readFileSync(file)).digest("hex"),
    files: {
      dir: modelDir,
      tokenizerConfig: readJsonObject(`${modelDir}/tokenizer_config.json`),
      specialTokensMap: readJsonObject(`${modelDir}/special_tokens_map.json`),
      config: readJsonObject(`${modelDir}/config.json`),
      generationConfig: readJsonObject(`${modelDir}/generation_config.json`),
      turnEnd: turnEndOf(modelDir, addedContents(spec)),
    },
  });
}

/** The tokenizer of a parsed tokenizer.json; `loadTokenizer` for files elsewhere. */
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
  // by text, not by id: a vocabulary may hold a piece twice, as unigram models do with <unk>
  const specials = new Set(added.filter(({ special }) => special).map(({ content }) => content));
  const tokens = Array.from({ length: vocabSize }, (_, id) => library.idToToken(id) ?? "");
  const decoder = library.getDecoder();
  const encodeAll: Tokenizer["encodeAll"] = (texts, options = {}) =>
    inBatches(
      texts,
      (batch) => library.encodeBatch(batch, { addSpecialTokens: options.special ?? true }),
      (encoding) => new Int32Array(encoding.getIds()),
    );
  const encodeWithPlaces: Tokenizer["encodeWithPlaces"] = (texts) =>
    inBatches(texts, (batch) => library.encodeBatch(batch, { addSpecialTokens: false }), placed);
  // The addon decodes a list of ids in the background only. This is what it does there, at once: a stop string must be
  // seen before the next token is drawn.
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

/** Texts of the added tokens, as far as they are any: the spec is not checked yet. */
function addedContents({ added_tokens: added }: JsonObject): string[] {
  if (!Array.isArray(added)) return [];
  return added.filter(isObject).map(({ content }) => content).filter((text) => typeof text === "string");
}

/**
 * Encodes some texts after the other: the library's encodings hold far more than ids, and are let go batch by batch. While one
 * batch is read here, the library works on the next.
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

/** `texts` in parts that are neither too many nor, unless it is one text alone, too long. */
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

/** Rust counts places in code points; a text without surrogates has as many units. */
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

/** Where each code point of `text` begins, and where the text ends. */
function codePointStarts(text: string): number[] {
  const starts: number[] = [];
  let at = 0;
  for (const character of text) {
    starts.push(at);
    at += character.length;
  }
  return [...starts, at];
}

/** Texts, and UTF-16 units of them, that the library encodes at once. */
const BATCH_TEXTS = 1024, BATCH_LENGTH = 1 << 20;

/** Names under which configs give the context, in the order of how common they are. */
const CONTEXT_KEYS = ["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"];

function contextLengthOf(config: JsonObject, dir: string): number | null {
  const key = CONTEXT_KEYS.find((name) => config[name] !== undefined && config[name] !== null);
  if (key === undefined) return null;
  const value = config[key];
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  const file = `${dir}/config.json`;
  throw new DataError(
    `Cannot read ${file} as "${key}" must be a whole number from 1 on: it is ${JSON.stringify(value)}`,
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
    throw new DataError(
      `Cannot load ${file} as it must hold parts that are known here: ${messageOf(error)}`,
      { file },
      { cause: error },
    );
  }
}
