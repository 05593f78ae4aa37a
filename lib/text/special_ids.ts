/**
 * Which ids begin, end and pad a text. Hugging Face spreads this over four files that may disagree; here is the order
 * in which they are asked. In: the files' JSON and the vocabulary. Out: ids.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";
import { isObject, type JsonObject } from "./tokenizer_file.ts";

/** The JSON files of a model directory; an absent one is undefined. */
export interface TokenizerFiles {
  /** what messages call the directory */
  readonly dir: string;
  readonly tokenizerConfig?: JsonObject | undefined;
  readonly specialTokensMap?: JsonObject | undefined;
  readonly config?: JsonObject | undefined;
  readonly generationConfig?: JsonObject | undefined;
  /** text of the token with which the chat template ends an answer */
  readonly turnEnd?: string | undefined;
}

/** Ids of a model's special tokens. */
export interface SpecialIds {
  readonly bosId: number | null;
  /** every id that ends a response; the first is the one that training appends. Empty: the model names none */
  readonly eosIds: readonly number[];
  readonly padId: number | null;
}

/**
 * BOS and padding: tokenizer_config.json, special_tokens_map.json, then the ids of generation_config.json and config.json;
 * an explicit null in tokenizer_config.json means that there is none (Qwen names a BOS in config.json that its tokenizer never writes).
 * EOS: generation_config.json (one id or a list), else config.json, else the tokenizer's token. The tokenizer's own EOS
 * token comes first where it is among them: it ends a turn in the text that the model was trained on. The chat template's turn
 * end is one of them, whether a file lists it or not.
 * @param idOf the id of a token's text, undefined if there is none
 * @throws {DataError} that lists every entry which names no token.
 */
export function specialIds(
  files: TokenizerFiles,
  idOf: (token: string) => number | undefined,
  vocabSize: number,
): SpecialIds {
  const problems: string[] = [];
  const tokenId = (key: string): number | null | undefined => {
    for (const [name, json] of named(files, ["tokenizer_config.json", "special_tokens_map.json"])) {
      const value = json[key];
      if (value === null) return null;
      if (value === undefined) continue;
      const content = isObject(value) ? value.content : value;
      const id = typeof content === "string" ? idOf(content) : undefined;
      if (id !== undefined) return id;
      problems.push(`"${key}" of ${name} must be a token of the vocabulary: it is ${JSON.stringify(value)}`);
      return null;
    }
    return undefined;
  };
  const configIds = (key: string): readonly number[] | undefined => {
    for (const [name, json] of named(files, ["generation_config.json", "config.json"])) {
      const value = json[key];
      if (value === undefined || value === null) continue;
      const ids: readonly unknown[] = Array.isArray(value) ? value : [value];
      const isGood = (id: unknown): id is number =>
        Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
      if (ids.length > 0 && ids.every(isGood)) return ids;
      problems.push(
        `"${key}" of ${name} must hold ids from 0 to ${vocabSize - 1}: it is ${JSON.stringify(value)}`,
      );
      return [];
    }
    return undefined;
  };
  const one = (token: string, id: string): number | null => {
    const named = tokenId(token);
    return named === undefined ? configIds(id)?.[0] ?? null : named;
  };
  const bosId = one("bos_token", "bos_token_id");
  const padId = one("pad_token", "pad_token_id");
  const eosId = tokenId("eos_token");
  const listed = configIds("eos_token_id");
  if (problems.length > 0) {
    throw new DataError(
      `Cannot read the special tokens of ${files.dir} as they must be tokens: ${problems.join("; ")}`,
      {
        file: files.dir,
      },
    );
  }
  const own = eosId === undefined || eosId === null ? [] : [eosId];
  const eosIds = [...new Set(listed ?? own)];
  const first = eosIds.filter((id) => own.includes(id));
  const turnEnd = files.turnEnd === undefined ? undefined : idOf(files.turnEnd);
  const rest = eosIds.filter((id) => !own.includes(id));
  const ends = [...first, ...rest, ...(turnEnd === undefined ? [] : [turnEnd])];
  return { bosId, padId, eosIds: [...new Set(ends)] };
}

function named(files: TokenizerFiles, names: readonly string[]): readonly [string, JsonObject][] {
  const byName: Readonly<Record<string, JsonObject | undefined>> = {
    "tokenizer_config.json": files.tokenizerConfig,
    "special_tokens_map.json": files.specialTokensMap,
    "generation_config.json": files.generationConfig,
    "config.json": files.config,
  };
  return names.flatMap((name): [string, JsonObject][] => {
    const json = byName[name];
    return json === undefined ? [] : [[name, json]];
  });
}
