/**
 * Finds a model's chat template: chat_template.jinja, else `chat_template` of tokenizer_config.json (one, or a list of named
 * ones), else none; or one that is asked for by name or path. In: a model directory. Out: a template ready to render.
 * @module
 */
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
import { BUILTIN_TEMPLATES, builtinTemplate } from "./builtin_templates.ts";
import { type ChatTemplate, chatTemplate } from "./chat_template.ts";
import { isObject, type JsonObject, messageOf, readJsonObject } from "./tokenizer_file.ts";

/** Which template, and with what clock. */
export interface ChatTemplateChoice {
  /** `model`, the name of a built-in template, or a path that ends with .jinja */
  readonly template: string;
  /** what `strftime_now` tells */
  readonly clock: Date;
  /** which of a model's named templates; default `default` (transformers takes `tool_use` when tools are given) */
  readonly variant?: string;
}

/** The special tokens that templates may name. */
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
 * The template of `choice` for the model in `modelDir`; undefined if the model's own is asked for and it has none.
 * @throws {UsageError} for a name that is no template
 * @throws {DataError} if a file is not what it must be
 */
export function loadChatTemplate(modelDir: string, choice: ChatTemplateChoice): ChatTemplate | undefined {
  const config = readJsonObject(`${modelDir}/tokenizer_config.json`) ?? {};
  const { template, clock } = choice;
  const builtin = builtinTemplate(template);
  const specialTokens = specialTokensOf(config, readJsonObject(`${modelDir}/special_tokens_map.json`) ?? {});
  if (builtin !== undefined) {
    // The built-in ones write BOS and EOS by name, where the tokenizer has them.
    const tokens = { bos_token: "", eos_token: "", ...specialTokens };
    return chatTemplate(builtin, { name: template, specialTokens: tokens, clock });
  }
  if (template.endsWith(".jinja")) {
    const source = readText(template);
    if (source === undefined) {
      throw new UsageError(`Cannot read chat template ${template} as it must exist: there is no such file`);
    }
    return chatTemplate(source, { name: template, specialTokens, clock });
  }
  if (template !== "model") {
    throw new UsageError(
      `Cannot take chat template ${template} as it must be model, ${
        BUILTIN_TEMPLATES.join(", ")
      }, or a path that ends with .jinja`,
    );
  }
  const source = modelTemplate(modelDir, config, choice.variant ?? "default");
  return source === undefined ? undefined : chatTemplate(source, { name: modelDir, specialTokens, clock });
}

function modelTemplate(modelDir: string, config: JsonObject, variant: string): string | undefined {
  const own = readText(`${modelDir}/chat_template.jinja`);
  if (own !== undefined) return own;
  const given = config.chat_template;
  if (given === undefined || given === null) return undefined;
  if (typeof given === "string") return given;
  const named = Array.isArray(given) ? given.filter(isObject) : [];
  const source = named.find(({ name }) => name === variant)?.template;
  if (typeof source === "string") return source;
  const file = `${modelDir}/tokenizer_config.json`;
  const names = named.map(({ name }) => JSON.stringify(name)).join(", ") || "none";
  throw new DataError(
    `Cannot read ${file} as "chat_template" must be a text or a list with a template named "${variant}": it names ${names}`,
    { file },
  );
}

function specialTokensOf(config: JsonObject, map: JsonObject): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const key of TOKEN_KEYS) {
    const value = config[key] === undefined ? map[key] : config[key];
    const text = isObject(value) ? value.content : value;
    if (typeof text === "string") tokens[key] = text;
  }
  return tokens;
}

function readText(file: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Deno.readFileSync(file));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new DataError(`Cannot read ${file} as it must be a text in UTF-8: ${messageOf(cause)}`, { file }, {
      cause,
    });
  }
}
