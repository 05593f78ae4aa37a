/** Loads the special ids of a model directory, also if it has no tokenizer. @module */
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { type SpecialIds, specialIds, type TokenizerFiles } from "./special_ids.ts";
import { type JsonObject, readJsonIfThere } from "./tokenizer_file.ts";
import { turnEndOf } from "./turn_end.ts";

/**
 * Returns BOS, end tokens and padding of the model in `modelDir`.
 * @throws {DataError} if a file names an unknown token
 */
export function loadSpecialIds(modelDir: string): SpecialIds {
  const spec = readJsonIfThere(modelDir, "tokenizer.json"), files = readTokenizerFiles(modelDir, spec);
  const vocabSize = typeof files.config?.vocab_size === "number" ? files.config.vocab_size : Infinity;
  return specialIds(files, tokenIds(spec), vocabSize);
}

/**
 * Returns the files of the model in `dir`.
 * @param spec its tokenizer.json; without one, tokens cannot be found by name, and only the ids in configs are used
 * @throws {DataError} if a file is invalid
 */
export function readTokenizerFiles(dir: string, spec: JsonObject | undefined): TokenizerFiles {
  const added = Array.isArray(spec?.added_tokens) ? spec.added_tokens.filter(isJsonObject) : [];
  const contents = added.map(({ content }) => content).filter((text) => typeof text === "string");
  return {
    dir,
    tokenizerConfig: spec && readJsonIfThere(dir, "tokenizer_config.json"),
    specialTokensMap: spec && readJsonIfThere(dir, "special_tokens_map.json"),
    config: readJsonIfThere(dir, "config.json"),
    generationConfig: readJsonIfThere(dir, "generation_config.json"),
    turnEnd: spec && turnEndOf(dir, contents),
  };
}

/** Returns a function that finds the id of a token by its text in tokenizer.json. */
function tokenIds(spec: JsonObject | undefined): (token: string) => number | undefined {
  const added = (spec?.added_tokens ?? []) as readonly { readonly content: string; readonly id: number }[];
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  const model = isJsonObject(spec?.model) ? spec.model : {};
  const vocab = isJsonObject(model.vocab) ? model.vocab as Readonly<Record<string, number>> : {};
  return (token) => ids.get(token) ?? (Object.hasOwn(vocab, token) ? vocab[token] : undefined);
}
