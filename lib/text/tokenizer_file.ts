/**
 * Reads the JSON files of a model directory that tell how text becomes tokens, and checks tokenizer.json before the
 * library sees it: the library takes gaps, duplicates and broken merges in silence and gives wrong ids later.
 * In: a model directory. Out: checked JSON objects.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** An entry of `added_tokens`, as far as it is used here. */
interface AddedEntry {
  readonly id: number;
  readonly content: string;
}

const MODEL_TYPES = ["BPE", "Unigram", "WordPiece", "WordLevel"];

/** Parts of a tokenizer.json and the types that the Rust library knows; its own message names none of them. */
const PART_TYPES: Readonly<Record<string, readonly string[]>> = {
  normalizer: words(
    "BertNormalizer Strip StripAccents NFC NFD NFKC NFKD Sequence Lowercase Nmt Precompiled Replace Prepend ByteLevel",
  ),
  pre_tokenizer: words(
    "BertPreTokenizer ByteLevel CharDelimiterSplit Metaspace Whitespace Sequence Split Punctuation WhitespaceSplit " +
      "Digits UnicodeScripts FixedLength",
  ),
  post_processor: words("RobertaProcessing BertProcessing ByteLevel TemplateProcessing Sequence"),
  decoder: words(
    "BPEDecoder ByteLevel WordPiece Metaspace CTC Sequence Replace Fuse Strip ByteFallback",
  ),
};

/** Under which key a part of type Sequence lists what it is made of. */
const MEMBERS = ["normalizers", "pretokenizers", "processors", "decoders"];

function words(list: string): readonly string[] {
  return list.split(" ");
}

const MOST_PROBLEMS = 5;

/** Whether `value` is a JSON object (neither null nor an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The JSON object in `file`, or undefined when there is no such file.
 * @throws {DataError} if the file cannot be read, is not UTF-8, not JSON, or not an object.
 */
export function readJsonObject(file: string): JsonObject | undefined {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new DataError(`Cannot read ${file} as it must be a readable file: ${messageOf(error)}`, { file }, {
      cause: error,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const what = bytes.length === 0 ? "it has 0 bytes" : messageOf(error);
    throw new DataError(`Cannot read ${file} as it must be JSON in UTF-8: ${what}`, { file }, {
      cause: error,
    });
  }
  if (!isObject(value)) {
    const what = Array.isArray(value) ? "an array" : JSON.stringify(value);
    throw new DataError(`Cannot read ${file} as it must be a JSON object: it is ${what}`, { file });
  }
  return value;
}

/**
 * Checks a parsed tokenizer.json: a known model, ids that are exactly 0 … n−1 over the vocabulary and the added tokens
 * together, merges of tokens that exist.
 * @param file the path that messages name
 * @throws {DataError} that lists the problems.
 */
export function checkTokenizerSpec(spec: JsonObject, file: string): void {
  const problems: string[] = [];
  const model = spec.model;
  if (!isObject(model)) {
    problems.push(`"model" must be an object: it is ${JSON.stringify(model) ?? "missing"}`);
  } else if (!MODEL_TYPES.includes(String(model.type))) {
    problems.push(
      `"model.type" must be one of ${MODEL_TYPES.join(", ")}: it is ${
        JSON.stringify(model.type) ?? "missing"
      }`,
    );
  } else {
    const vocab = vocabularyOf(model, problems);
    const added = addedTokensOf(spec, problems);
    if (vocab !== undefined) {
      checkIds(vocab, added, problems);
      if (model.type === "BPE") checkMerges(model, vocab, problems);
    }
  }
  for (const [name, types] of Object.entries(PART_TYPES)) checkPart(spec[name], { name, types, problems });
  if (problems.length === 0) return;
  const shown = problems.slice(0, MOST_PROBLEMS).join("; ");
  const rest = problems.length > MOST_PROBLEMS ? `; and ${problems.length - MOST_PROBLEMS} more` : "";
  throw new DataError(`Cannot load ${file} as it must be a consistent tokenizer: ${shown}${rest}`, { file });
}

function checkPart(part: unknown, place: {
  readonly name: string;
  readonly types: readonly string[];
  readonly problems: string[];
}): void {
  if (part === undefined || part === null) return;
  const { name, types, problems } = place;
  if (!isObject(part)) {
    problems.push(`"${name}" must be an object or null: it is ${JSON.stringify(part)}`);
  } else if (typeof part.type !== "string" || !types.includes(part.type)) {
    problems.push(
      `"${name}.type" must be one of ${types.join(", ")}: it is ${JSON.stringify(part.type) ?? "missing"}`,
    );
  } else if (part.type === "Sequence") {
    const members = MEMBERS.map((key) => part[key]).find(Array.isArray) ?? [];
    members.forEach((member, k) => checkPart(member, { name: `${name}[${k}]`, types, problems }));
  }
}

/** Token and id; Unigram lists may name a piece twice, so this is no map. */
type Vocabulary = readonly (readonly [string, number])[];

function vocabularyOf(model: JsonObject, problems: string[]): Vocabulary | undefined {
  const { vocab, type } = model;
  if (type === "Unigram") {
    const isPieces = Array.isArray(vocab) && vocab.length > 0 &&
      vocab.every((piece) =>
        Array.isArray(piece) && typeof piece[0] === "string" && Number.isFinite(piece[1])
      );
    if (isPieces) return (vocab as [string, number][]).map(([piece], id) => [piece, id]);
    problems.push(`"model.vocab" must be a list of [piece, score]`);
    return undefined;
  }
  if (!isObject(vocab) || Object.keys(vocab).length === 0) {
    const what = vocab === undefined ? "missing" : isObject(vocab) ? "empty" : `a ${typeof vocab}`;
    problems.push(`"model.vocab" must be an object of token: id pairs: it is ${what}`);
    return undefined;
  }
  const bad = Object.entries(vocab).filter(([, id]) => !Number.isInteger(id) || (id as number) < 0);
  for (const [token, id] of bad) {
    problems.push(
      `the id of ${JSON.stringify(token)} must be a whole number from 0 on: it is ${JSON.stringify(id)}`,
    );
  }
  return bad.length > 0 ? undefined : Object.entries(vocab) as [string, number][];
}

function addedTokensOf(spec: JsonObject, problems: string[]): readonly AddedEntry[] {
  const list = spec.added_tokens;
  if (!Array.isArray(list)) {
    problems.push(`"added_tokens" must be a list: it is ${JSON.stringify(list) ?? "missing"}`);
    return [];
  }
  return list.filter((entry, k): entry is AddedEntry => {
    const isGood = isObject(entry) && Number.isInteger(entry.id) && (entry.id as number) >= 0 &&
      typeof entry.content === "string" && entry.content !== "";
    if (!isGood) {
      problems.push(
        `"added_tokens[${k}]" must have an id from 0 on and a content: it is ${JSON.stringify(entry)}`,
      );
    }
    return isGood;
  });
}

function checkIds(vocab: Vocabulary, added: readonly AddedEntry[], problems: string[]): void {
  const ids = new Map(vocab);
  const tokens = new Map<number, string>();
  const claim = (token: string, id: number): void => {
    const other = tokens.get(id);
    if (other === undefined) tokens.set(id, token);
    else if (other !== token) {
      problems.push(
        `id ${id} must belong to one token: ${JSON.stringify(other)} and ${JSON.stringify(token)} share it`,
      );
    }
  };
  for (const [token, id] of vocab) claim(token, id);
  for (const { content, id } of added) {
    const own = ids.get(content);
    if (own !== undefined && own !== id) {
      problems.push(
        `added token ${JSON.stringify(content)} must keep its id ${own} of the vocabulary: it has ${id}`,
      );
    } else claim(content, id);
  }
  if (problems.length > 0) return;
  const gaps: number[] = [];
  for (let id = 0; gaps.length <= MOST_PROBLEMS && id < tokens.size; id++) if (!tokens.has(id)) gaps.push(id);
  if (gaps.length > 0) {
    problems.push(
      `the ${tokens.size} tokens must have the ids 0 to ${tokens.size - 1}: no token has id ${
        gaps.join(", ")
      }`,
    );
  }
}

function checkMerges(model: JsonObject, vocab: Vocabulary, problems: string[]): void {
  const known = new Set(vocab.map(([token]) => token));
  if (!Array.isArray(model.merges)) {
    problems.push(`"model.merges" must be a list: it is ${JSON.stringify(model.merges) ?? "missing"}`);
    return;
  }
  const prefix = typeof model.continuing_subword_prefix === "string"
    ? model.continuing_subword_prefix.length
    : 0;
  for (const [k, merge] of model.merges.entries()) {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((part) => typeof part !== "string")) {
      problems.push(`"model.merges[${k}]" must name two tokens: it is ${JSON.stringify(merge)}`);
      continue;
    }
    const [left, right] = pair as [string, string];
    const missing = [left, right, left + right.slice(prefix)].filter((token) => !known.has(token));
    if (missing.length > 0) {
      const names = missing.map((token) => JSON.stringify(token)).join(", ");
      problems.push(
        `"model.merges[${k}]" must name tokens of the vocabulary: ${names} ${
          missing.length > 1 ? "are" : "is"
        } not in it`,
      );
    }
  }
}

/** What a caught value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
