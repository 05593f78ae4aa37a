/** Reads config.json and finds the family that it names. @module */
import { join } from "node:path";
import { z } from "zod";
import { readWholeFile } from "@/lib/files/whole_file.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { llama } from "./llama.ts";
import type { Model } from "./model.ts";

/** A config and the kind of head that the model gets. */
export interface ConfigInput {
  readonly json: Readonly<Record<string, unknown>>;
  readonly headKind: "lm" | "score";
  /** for messages */
  readonly path: string;
}

/** Families by `model_type`. */
const FAMILIES: Readonly<Record<string, (input: ConfigInput) => Model>> = { llama };

/** Fields that change the weights or the arithmetic of any family and are not supported. */
const UNSUPPORTED = ["quantization_config", "auto_map", "pruned_heads"];

/**
 * Validates a config with a family's schema.
 * @throws {DataError} listing every field that is wrong
 */
export function parseConfig<S extends z.ZodType>(schema: S, input: ConfigInput): z.output<S> {
  const result = schema.safeParse(input.json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new DataError(`Cannot read ${input.path} as it must describe a model: ${problems.join("; ")}`, {
    file: input.path,
  });
}

/** config.json of a model directory. @throws {DataError} if it is missing or no JSON object */
export function readConfig(directory: string): Record<string, unknown> {
  const path = join(directory, "config.json");
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(readWholeFile(path)));
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(
      `Cannot read ${path} as it must be JSON: ${(cause as Error).message}`,
      { file: path },
      { cause },
    );
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new DataError(
      `Cannot read ${path} as it must be a JSON object: it is ${
        Array.isArray(json) ? "a list" : typeof json
      }`,
      { file: path },
    );
  }
  return json as Record<string, unknown>;
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
  const present = UNSUPPORTED.filter((key) => json[key] !== undefined && json[key] !== null);
  if (present.length > 0) {
    throw new DataError(`Cannot read ${path} as these fields are not supported: ${present.join(", ")}`, {
      file: path,
    });
  }
  const architecture = Array.isArray(json.architectures) ? String(json.architectures[0]) : "";
  const isScore = architecture.endsWith("ForSequenceClassification");
  return family({ json, path, headKind: options.headKind ?? (isScore ? "score" : "lm") });
}
