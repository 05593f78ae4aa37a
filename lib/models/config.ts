/** Reads config.json and finds the family that it names. @module */
import { join } from "node:path";
import { readJsonObject } from "@/lib/files/json.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { gemma } from "./gemma.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import { gpt2 } from "./gpt2.ts";
import { gptNeoX } from "./gpt_neox.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import type { Model } from "./model.ts";
import { olmo2 } from "./olmo2.ts";
import type { ConfigInput } from "./parse_config.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { smollm3 } from "./smollm3.ts";

/** Families by `model_type`. */
const FAMILIES: Readonly<Record<string, (input: ConfigInput) => Model>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3_text: gemma3,
  phi3,
  gpt2,
  gpt_neox: gptNeoX,
  olmo2,
  smollm3,
};

/** Fields that change the weights or the arithmetic of any family and are not supported. */
const UNSUPPORTED = [
  "quantization_config",
  "pruned_heads",
  "num_experts",
  "num_local_experts",
  "n_routed_experts",
  "attention_sinks",
  "attn_sinks",
];

/** False for what exporters write where there is nothing: null, 0, false, an empty list or object. */
export function says(value: unknown): boolean {
  return typeof value === "object" && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}

/**
 * True for code that was part of a repository before transformers had the family: it computes the same. A tokenizer's
 * code is no matter of the model.
 */
function isOwnCode(autoMap: unknown, type: string): boolean {
  const own = new RegExp(`^(.*--)?(configuration|modeling)_${type}\\.`);
  return typeof autoMap === "object" &&
    Object.entries(autoMap!).every(([auto, path]) => /^AutoTokenizer/.test(auto) || own.test(String(path)));
}

/** Reads config.json of a model directory. @throws {DataError} if it is missing or not a JSON object */
export function readConfig(directory: string): Record<string, unknown> {
  return readJsonObject(join(directory, "config.json"));
}

/**
 * The model that a config describes. The head is a critic's where `architectures` names a sequence classifier.
 * @throws {DataError} if the family or a field is not supported, before any weight is read
 */
export function modelFromConfig(
  json: Readonly<Record<string, unknown>>,
  options: { readonly path?: string; readonly headKind?: "lm" | "score" } = {},
): Model {
  const path = options.path ?? "config.json";
  const type = json.model_type;
  const family = typeof type === "string" && Object.hasOwn(FAMILIES, type) ? FAMILIES[type] : undefined;
  if (!family) {
    const known = Object.keys(FAMILIES).join(", ");
    throw new DataError(
      `Cannot read ${path} as model_type must be one of ${known}: it is ${JSON.stringify(type)}`,
      { file: path },
    );
  }
  const present = UNSUPPORTED.filter((key) => says(json[key]));
  if (says(json.auto_map) && !isOwnCode(json.auto_map, type as string)) present.push("auto_map");
  if (present.length > 0) {
    throw new DataError(`Cannot read ${path} as these fields are not supported: ${present.join(", ")}`, {
      file: path,
    });
  }
  const architecture = Array.isArray(json.architectures) ? String(json.architectures[0]) : "";
  const isScore = architecture.endsWith("ForSequenceClassification");
  return family({ json, path, headKind: options.headKind ?? (isScore ? "score" : "lm") });
}
