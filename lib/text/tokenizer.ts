/**
 * A model's tokenizer: text to ids and back, as the Rust library `tokenizers` does it. This folder is the only one that
 * knows `@huggingface/tokenizers`. In: a model directory in Hugging Face layout. Out: a `Tokenizer`.
 * @module
 */
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { createHash } from "node:crypto";
import { DataError } from "@/lib/tensor/errors.ts";
import { repairLibrary } from "./library_repairs.ts";
import { type SpecialIds, specialIds, type TokenizerFiles } from "./special_ids.ts";
import { checkTokenizerSpec, type JsonObject, messageOf, readJsonObject } from "./tokenizer_file.ts";

/** Turns text into token ids and back. */
export interface Tokenizer extends SpecialIds {
  /**
   * Ids of `text`. Special tokens that are written out in the text become their ids either way.
   * @param options.special whether the tokenizer's own template (BOS, for example) is put around; default true
   */
  readonly encode: (text: string, options?: { readonly special?: boolean }) => Int32Array<ArrayBuffer>;
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
  const vocabulary = library.get_vocab();
  const vocabSize = vocabulary.size;
  const encode: Tokenizer["encode"] = (text, options = {}) =>
    Int32Array.from(library.encode(text, { add_special_tokens: options.special ?? true }).ids);
  const decode: Tokenizer["decode"] = (ids, options = {}) => {
    const known = Array.from(ids).filter((id) => id >= 0 && id < vocabSize);
    if (known.length === 0) return "";
    return library.decode(known, {
      skip_special_tokens: options.skipSpecial ?? false,
      clean_up_tokenization_spaces: false,
    });
  };
  const special = specialIds(origin.files, (token) => vocabulary.get(token), vocabSize);
  return {
    ...special,
    ...templateOf(encode),
    encode,
    decode,
    vocabSize,
    contextLength: contextLengthOf(origin.files.config ?? {}, origin.files.dir),
    leastTokens: leastTokensBy(library),
    digest: origin.digest,
  };
}

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

function leastTokensBy(library: LibraryTokenizer): Tokenizer["leastTokens"] {
  let longest = 1;
  for (const token of library.get_vocab().keys()) longest = Math.max(longest, token.length);
  return (text) => Math.floor(text.replace(/\s+/g, " ").length / (4 * longest));
}

function createLibraryTokenizer(spec: JsonObject, file: string): LibraryTokenizer {
  try {
    const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...spec };
    const library = new LibraryTokenizer(parts, {});
    repairLibrary(library);
    library.encode("a 1", {}); // patterns are compiled at first use
    return library;
  } catch (error) {
    throw new DataError(
      `Cannot load ${file} as it must hold parts that are known here: ${messageOf(error)}`,
      { file },
      { cause: error },
    );
  }
}

/** What the template puts around a text, found by encoding one with it and without. */
function templateOf(encode: Tokenizer["encode"]): Pick<Tokenizer, "prefixIds" | "suffixIds"> {
  const inner = encode("a", { special: false });
  const outer = encode("a");
  const extra = outer.length - inner.length;
  for (let at = 0; at <= extra; at++) {
    if (inner.every((id, k) => outer[at + k] === id)) {
      return { prefixIds: [...outer.slice(0, at)], suffixIds: [...outer.slice(at + inner.length)] };
    }
  }
  return { prefixIds: [], suffixIds: [] };
}
