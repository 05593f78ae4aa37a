/**
 * The ids that begin, end and pad a text. They are in four files that may disagree; `specialIds()` has the order in which
 * these files are used.
 * @module
 */
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import type { JsonObject } from "./tokenizer_file.ts";

/** The JSON files of a model directory; undefined for a missing one. */
export interface TokenizerFiles {
  /** the directory, for messages */
  readonly dir: string;
  readonly tokenizerConfig?: JsonObject | undefined;
  readonly specialTokensMap?: JsonObject | undefined;
  readonly config?: JsonObject | undefined;
  readonly generationConfig?: JsonObject | undefined;
  /** text of the token with which the chat template ends a response */
  readonly turnEnd?: string | undefined;
}

/** Ids of a model's special tokens. */
export interface SpecialIds {
  readonly bosId: number | null;
  /** all ids that end a response; training appends the first. Empty if the model names none */
  readonly eosIds: readonly number[];
  readonly padId: number | null;
}

/**
 * Returns the special ids of a model.
 * BOS and padding: from tokenizer_config.json, special_tokens_map.json, then the ids of generation_config.json and
 * config.json; null in tokenizer_config.json means none (Qwen's config.json has a BOS that its tokenizer never writes).
 * EOS: from generation_config.json (one id or a list), else config.json, else the tokenizer's token. The tokenizer's EOS
 * token comes first if it is among them: it ends a turn in the model's training data. The chat template's turn end is always
 * included.
 * @param idOf returns the id of a token by its text, or undefined
 * @throws {DataError} that lists every entry with an unknown token
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
      const content = isJsonObject(value) ? value.content : value;
      const id = typeof content === "string" ? idOf(content) : undefined;
      if (id !== undefined) return id;
      problems.push(`"${key}" of ${name} must be a token of the vocabulary, got ${JSON.stringify(value)}`);
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
        `"${key}" of ${name} must hold ids from 0 to ${vocabSize - 1}, got ${JSON.stringify(value)}`,
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
  const configEnds = configIds("eos_token_id");
  if (problems.length > 0) {
    throw new DataError(`${files.dir}: invalid special tokens: ${listed(problems)}`, { file: files.dir });
  }
  const own = eosId === undefined || eosId === null ? [] : [eosId];
  const eosIds = configEnds ?? own;
  const turnEnd = files.turnEnd === undefined ? undefined : idOf(files.turnEnd);
  const ends = [
    ...eosIds.filter((id) => own.includes(id)),
    ...eosIds.filter((id) => !own.includes(id)),
    ...(turnEnd === undefined ? [] : [turnEnd]),
  ];
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
