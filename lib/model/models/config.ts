/** Reads config.json and builds the model of the family that it names. @module */
import { join } from "node:path";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { isSet } from "./config_fields.ts";
import { sizeProblems } from "./config_limits.ts";
import { FAMILIES } from "./families.ts";
import type { Model } from "./model.ts";

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

/**
 * Returns whether `auto_map` names only the family's own code, which computes the same: repositories contain it from
 * the time before transformers had the family. The code of a tokenizer is ignored.
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
 * Returns the model of a config. It is a critic if `architectures` names a sequence classifier.
 * @throws {DataError} if the family or a field is not supported, before any weight is read
 */
export function modelFromConfig(
  json: Readonly<Record<string, unknown>>,
  options: { readonly path?: string; readonly headKind?: "lm" | "score" } = {},
): Model {
  const path = options.path ?? "config.json", type = json.model_type;
  const reject = (problem: string) => new DataError(`${path}: ${problem}`, { file: path });
  const family = typeof type === "string" && Object.hasOwn(FAMILIES, type) ? FAMILIES[type] : undefined;
  if (!family) {
    throw reject(
      type === undefined
        ? 'missing field "model_type"'
        : `model_type must be one of ${Object.keys(FAMILIES).join(", ")}, got ${JSON.stringify(type)}`,
    );
  }
  const absurd = sizeProblems(json);
  if (absurd.length > 0) throw reject(absurd.join("; "));
  const present = UNSUPPORTED.filter((key) => isSet(json[key]));
  if (isSet(json.auto_map) && !isOwnCode(json.auto_map, type as string)) present.push("auto_map");
  if (present.length > 0) throw reject(`these fields are not supported: ${present.join(", ")}`);
  const architecture = Array.isArray(json.architectures) ? String(json.architectures[0]) : "";
  const isScore = architecture.endsWith("ForSequenceClassification");
  const headKind = options.headKind ?? (isScore ? "score" : "lm");
  try {
    return family.build({ json, path, headKind, className: family.className });
  } catch (error) {
    if (error instanceof DataError && error.where.file === undefined) throw reject(error.message);
    throw error;
  }
}
