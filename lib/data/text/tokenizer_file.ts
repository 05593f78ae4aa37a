/**
 * Reads the JSON files of a model directory, and checks tokenizer.json before the library loads it: the library accepts gaps,
 * duplicates and invalid merges without a message and returns wrong ids later.
 * @module
 */
import { readJsonObject } from "@/lib/data/files/json.ts";
import { isFile } from "@/lib/data/files/paths.ts";
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** An entry of `added_tokens`. */
interface AddedEntry {
  readonly id: number;
  readonly content: string;
}

const MODEL_TYPES = ["BPE", "Unigram", "WordPiece", "WordLevel"];

/** Parts of a tokenizer.json and their types in the Rust library, whose own message does not name them. */
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

/** Keys under which a part of type Sequence lists its members. */
const MEMBERS = ["normalizers", "pretokenizers", "processors", "decoders"];

function words(list: string): readonly string[] {
  return list.split(" ");
}

/** Problems in a message; later ones often follow from the first. */
const MAX_PROBLEMS = 5;

/** Returns the JSON object in a file of a model directory, or undefined if there is no such file. @throws {DataError} */
export function readJsonIfThere(modelDir: string, name: string): JsonObject | undefined {
  const file = `${modelDir}/${name}`;
  return isFile(file) ? readJsonObject(file) : undefined;
}

/**
 * Checks a parsed tokenizer.json: a known model, ids that are exactly 0 … n−1 for the vocabulary and the added tokens
 * together, merges of existing tokens.
 * @param file the path for messages
 * @throws {DataError} that lists the problems.
 */
export function checkTokenizerSpec(spec: JsonObject, file: string): void {
  const problems: string[] = [];
  const model = spec.model;
  if (!isJsonObject(model)) {
    problems.push(`"model" must be an object, got ${show(model)}`);
  } else if (!MODEL_TYPES.includes(String(model.type))) {
    problems.push(`"model.type" must be one of ${MODEL_TYPES.join(", ")}, got ${show(model.type)}`);
  } else {
    const vocab = vocabularyOf(model, problems);
    const added = addedTokensOf(spec, problems);
    if (vocab !== undefined) {
      checkIds(vocab, added, problems);
      if (model.type === "BPE") checkMerges(model, vocab, problems);
    }
  }
  for (const [name, types] of Object.entries(PART_TYPES)) checkPart(spec[name], { name, types, problems });
  // The library matches an empty pattern past the end of a text, and ends the process.
  if (hasEmptyPattern(spec.normalizer)) {
    problems.push('"normalizer" must replace patterns of at least one character, got an empty one');
  }
  if (problems.length === 0) return;
  throw new DataError(`${file}: invalid tokenizer: ${listed(problems, { most: MAX_PROBLEMS })}`, { file });
}

function hasEmptyPattern(normalizer: unknown): boolean {
  if (!isJsonObject(normalizer)) return false;
  const { type, pattern, normalizers } = normalizer;
  if (Array.isArray(normalizers)) return normalizers.some(hasEmptyPattern);
  return type === "Replace" && isJsonObject(pattern) && (pattern.Regex === "" || pattern.String === "");
}

function checkPart(part: unknown, place: {
  readonly name: string;
  readonly types: readonly string[];
  readonly problems: string[];
}): void {
  if (part === undefined || part === null) return;
  const { name, types, problems } = place;
  if (!isJsonObject(part)) {
    problems.push(`"${name}" must be an object or null, got ${show(part)}`);
  } else if (typeof part.type !== "string" || !types.includes(part.type)) {
    problems.push(`"${name}.type" must be one of ${types.join(", ")}, got ${show(part.type)}`);
  } else if (part.type === "Sequence") {
    const members = MEMBERS.map((key) => part[key]).find(Array.isArray) ?? [];
    members.forEach((member, k) => checkPart(member, { name: `${name}[${k}]`, types, problems }));
  }
}

/** Tokens and ids; not a map, since Unigram lists may repeat a piece. */
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
  if (!isJsonObject(vocab) || Object.keys(vocab).length === 0) {
    problems.push(`"model.vocab" must be an object of tokens and ids, got ${show(vocab)}`);
    return undefined;
  }
  const bad = Object.entries(vocab).filter(([, id]) => !Number.isInteger(id) || (id as number) < 0);
  for (const [token, id] of bad) {
    problems.push(`the id of ${show(token)} must be an integer of at least 0, got ${show(id)}`);
  }
  return bad.length > 0 ? undefined : Object.entries(vocab) as [string, number][];
}

function addedTokensOf(spec: JsonObject, problems: string[]): readonly AddedEntry[] {
  const list = spec.added_tokens;
  if (!Array.isArray(list)) {
    problems.push(`"added_tokens" must be a list, got ${show(list)}`);
    return [];
  }
  return list.filter((entry, k): entry is AddedEntry => {
    const isGood = isJsonObject(entry) && Number.isInteger(entry.id) && (entry.id as number) >= 0 &&
      typeof entry.content === "string" && entry.content !== "";
    if (!isGood) {
      problems.push(`"added_tokens[${k}]" must have an id of at least 0 and a content, got ${show(entry)}`);
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
      problems.push(`id ${id} must belong to one token, got ${show(other)} and ${show(token)}`);
    }
  };
  for (const [token, id] of vocab) claim(token, id);
  for (const { content, id } of added) {
    const own = ids.get(content);
    if (own !== undefined && own !== id) {
      problems.push(`added token ${show(content)} must have its id ${own} of the vocabulary, got ${id}`);
    } else claim(content, id);
  }
  if (problems.length > 0) return;
  const gaps: number[] = [];
  for (let id = 0; gaps.length <= MAX_PROBLEMS && id < tokens.size; id++) if (!tokens.has(id)) gaps.push(id);
  if (gaps.length === 0) return;
  const missing = gaps.join(", ");
  problems.push(
    `the ${tokens.size} tokens must have the ids 0 to ${tokens.size - 1}, got no token for ${missing}`,
  );
}

function checkMerges(model: JsonObject, vocab: Vocabulary, problems: string[]): void {
  const known = new Set(vocab.map(([token]) => token));
  if (!Array.isArray(model.merges)) {
    problems.push(`"model.merges" must be a list, got ${show(model.merges)}`);
    return;
  }
  const prefix = typeof model.continuing_subword_prefix === "string"
    ? model.continuing_subword_prefix.length
    : 0;
  for (const [k, merge] of model.merges.entries()) {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((part) => typeof part !== "string")) {
      problems.push(`"model.merges[${k}]" must name two tokens, got ${show(merge)}`);
      continue;
    }
    const [left, right] = pair as [string, string];
    const missing = [left, right, left + right.slice(prefix)].filter((token) => !known.has(token));
    if (missing.length > 0) {
      problems.push(
        `"model.merges[${k}]" must name tokens of the vocabulary, got ${missing.map(show).join(", ")}`,
      );
    }
  }
}

/** Returns a value as JSON for messages, shortened. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
