/** The special ids of a model directory without building its tokenizer; also of one that has none. @module */
import { type SpecialIds, specialIds } from "./special_ids.ts";
import { turnEndOf } from "./turn_end.ts";
import { isObject, type JsonObject, readJsonObject } from "./tokenizer_file.ts";

interface AddedToken {
  readonly content: string;
  readonly id: number;
}

function addedTokens(spec: JsonObject | undefined): readonly AddedToken[] {
  return Array.isArray(spec?.added_tokens) ? spec.added_tokens as readonly AddedToken[] : [];
}

/** Ids of tokens by their text, from the parts of tokenizer.json that hold any. */
function tokenIds(spec: JsonObject | undefined): (token: string) => number | undefined {
  const ids = new Map(addedTokens(spec).map(({ content, id }) => [content, id]));
  const model = isObject(spec?.model) ? spec.model : {};
  const vocab = isObject(model.vocab) ? model.vocab as Readonly<Record<string, number>> : {};
  return (token) => ids.get(token) ?? (Object.hasOwn(vocab, token) ? vocab[token] : undefined);
}

/**
 * BOS, ends of a response, and padding of the model in `modelDir`.
 * @throws {DataError} if a file names what is no token
 */
export function loadSpecialIds(modelDir: string): SpecialIds {
  const read = (name: string) => readJsonObject(`${modelDir}/${name}`);
  const spec = read("tokenizer.json"), config = read("config.json");
  const vocabSize = typeof config?.vocab_size === "number" ? config.vocab_size : Infinity;
  return specialIds(
    {
      dir: modelDir,
      // Without a vocabulary the names of tokens cannot be looked up: ids in the configs are what is left.
      tokenizerConfig: spec && read("tokenizer_config.json"),
      specialTokensMap: spec && read("special_tokens_map.json"),
      config,
      generationConfig: read("generation_config.json"),
      turnEnd: spec && turnEndOf(modelDir, addedTokens(spec).map(({ content }) => content)),
    },
    tokenIds(spec),
    vocabSize,
  );
}
