/**
 * Loads a chat template: a built-in one, a file, or a model's own, which is chat_template.jinja or `chat_template` of
 * tokenizer_config.json (one template, or a list of named ones).
 * @module
 */
import { isFile } from "@/lib/data/files/paths.ts";
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { readText } from "@/lib/data/files/whole_file.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { BUILTIN_TEMPLATES, builtinTemplate } from "./builtin_templates.ts";
import { type ChatTemplate, chatTemplate } from "./chat_template.ts";
import { type JsonObject, readJsonIfThere } from "./tokenizer_file.ts";

/** Which template to load. */
export interface ChatTemplateChoice {
  /** `model`, the name of a built-in template, or a path that ends with .jinja */
  readonly template: string;
  /** the time that `strftime_now` returns */
  readonly clock: Date;
  /** name of a model's template; default: `default` (transformers uses `tool_use` if there are tools) */
  readonly variant?: string;
}

/** Special tokens that templates may use by name. */
const TOKEN_KEYS = [
  "bos_token",
  "eos_token",
  "pad_token",
  "unk_token",
  "sep_token",
  "cls_token",
  "mask_token",
];

/**
 * Returns the template of `choice` for the model in `modelDir`; undefined if `choice` is `model` and the model has none.
 * @throws {UsageError} for an unknown name
 * @throws {DataError} if a file is missing or invalid
 */
export function loadChatTemplate(modelDir: string, choice: ChatTemplateChoice): ChatTemplate | undefined {
  const config = readJsonIfThere(modelDir, "tokenizer_config.json") ?? {};
  const { template, clock } = choice;
  const builtin = builtinTemplate(template);
  const specialTokens = specialTokensOf(config, readJsonIfThere(modelDir, "special_tokens_map.json") ?? {});
  if (builtin !== undefined) {
    // Built-in templates write BOS and EOS if the tokenizer has them.
    const tokens = { bos_token: "", eos_token: "", ...specialTokens };
    return chatTemplate(builtin, { name: template, specialTokens: tokens, clock });
  }
  if (template.endsWith(".jinja")) {
    return chatTemplate(readText(template), { name: template, specialTokens, clock });
  }
  if (template !== "model") {
    throw new UsageError(
      `chat_template must be model, ${
        BUILTIN_TEMPLATES.join(", ")
      } or a path that ends with .jinja, got ${template}`,
    );
  }
  const source = modelTemplate(modelDir, config, choice.variant ?? "default");
  return source === undefined ? undefined : chatTemplate(source, { name: modelDir, specialTokens, clock });
}

function modelTemplate(modelDir: string, config: JsonObject, variant: string): string | undefined {
  const file = `${modelDir}/chat_template.jinja`;
  if (isFile(file)) return readText(file);
  const given = config.chat_template;
  if (given === undefined || given === null) return undefined;
  if (typeof given === "string") return given;
  const named = Array.isArray(given) ? given.filter(isJsonObject) : [];
  const source = named.find(({ name }) => name === variant)?.template;
  if (typeof source === "string") return source;
  const configFile = `${modelDir}/tokenizer_config.json`;
  const names = named.map(({ name }) => JSON.stringify(name)).join(", ") || "none";
  throw new DataError(
    `${configFile}: chat_template must be a text or have a template named "${variant}", got ${names}`,
    { file: configFile },
  );
}

function specialTokensOf(config: JsonObject, map: JsonObject): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const key of TOKEN_KEYS) {
    const value = config[key] === undefined ? map[key] : config[key];
    const text = isJsonObject(value) ? value.content : value;
    if (typeof text === "string") tokens[key] = text;
  }
  return tokens;
}
