/**
 * adapter_config.json of PEFT, in and out. Unsupported fields are rejected by name: a partly applied adapter would give
 * wrong results silently.
 * @module
 */
import { z } from "zod";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { isSet, problemsOf } from "../config_fields.ts";
import type { LoraConfig } from "./adapter.ts";

/** Name of the file. */
export const CONFIG_FILE = "adapter_config.json";

const positive = z.int().positive();
const modules = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

const Fields = z.object({
  peft_type: z.literal("LORA", { error: ({ input }) => `must be LORA, got ${JSON.stringify(input)}` }),
  task_type: z.literal("CAUSAL_LM", {
    error: ({ input }) => `must be CAUSAL_LM or null, got ${JSON.stringify(input)}`,
  }).nullish(),
  base_model_name_or_path: z.string().nullish(),
  r: positive,
  lora_alpha: z.number().positive(),
  use_rslora: z.boolean().nullish(),
  target_modules: modules,
  exclude_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  layers_to_transform: z.union([z.int().min(0), z.array(z.int().min(0))]).nullish(),
  rank_pattern: z.record(z.string(), positive).nullish(),
  alpha_pattern: z.record(z.string(), z.number().positive()).nullish(),
  lora_dropout: z.number().min(0).lt(1).nullish(),
  bias: z.literal("none", { error: ({ input }) => `must be none, got ${JSON.stringify(input)}` }).nullish(),
  fan_in_fan_out: z.boolean().nullish(),
  // Initialisations of A and B that do not change the weights of the base.
  init_lora_weights: z.literal([true, false, "gaussian", "orthogonal", "eva"], {
    error: ({ input }) =>
      `must be one of true, false, gaussian, orthogonal, eva (others change the base), got ${
        JSON.stringify(input)
      }`,
  }).nullish(),
});

/** Fields without effect: the origin of an adapter, and settings of features that are off. */
const INERT = new Set([
  ...["auto_mapping", "revision", "inference_mode", "peft_version", "runtime_config"],
  ...["megatron_core", "qalora_group_size", "eva_config", "ensure_weight_tying"],
]);

/** An adapter's config, and the base that it names. */
export interface ReadLoraConfig {
  readonly config: LoraConfig;
  /** a path or the name of a repository; empty if not specified */
  readonly base: string;
}

/**
 * Reads an adapter_config.json.
 * @throws {DataError} listing every field that is wrong or not supported
 */
export function readLoraConfig(path: string): ReadLoraConfig {
  return parseLoraConfig(readJsonObject(path), path);
}

/** Returns the config of a parsed JSON object. @param path for messages @throws {DataError} as `readLoraConfig()` */
export function parseLoraConfig(json: Readonly<Record<string, unknown>>, path: string): ReadLoraConfig {
  const result = Fields.safeParse(json);
  const known = new Set([...Object.keys(Fields.shape), ...INERT]);
  const problems = [
    ...(result.success ? [] : problemsOf(result.error)),
    ...Object.keys(json).filter((name) => !known.has(name) && isSet(json[name]))
      .map((name) => `${name} is not supported`),
  ];
  if (!result.success || problems.length > 0) {
    throw new DataError(`${path}: ${problems.join("; ")}`, { file: path });
  }
  const fields = result.data, layers = [fields.layers_to_transform ?? []].flat();
  return {
    base: fields.base_model_name_or_path ?? "",
    config: {
      rank: fields.r,
      alpha: fields.lora_alpha,
      rankStabilised: fields.use_rslora ?? false,
      targets: fields.target_modules,
      excluded: fields.exclude_modules ?? [],
      layers: layers.length === 0 ? null : layers,
      rankPattern: fields.rank_pattern ?? {},
      alphaPattern: fields.alpha_pattern ?? {},
      dropout: fields.lora_dropout ?? 0,
      transposed: fields.fan_in_fan_out ?? null,
    },
  };
}

/** Returns a config as JSON for PEFT. @param base path of the base */
export function loraConfigJson(
  config: LoraConfig,
  base: string,
  transposed: boolean,
): Record<string, unknown> {
  return {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: base,
    inference_mode: true,
    r: config.rank,
    lora_alpha: config.alpha,
    use_rslora: config.rankStabilised,
    use_dora: false,
    target_modules: config.targets,
    exclude_modules: config.excluded.length > 0 ? config.excluded : null,
    layers_to_transform: config.layers,
    rank_pattern: config.rankPattern,
    alpha_pattern: config.alphaPattern,
    lora_dropout: config.dropout,
    bias: "none",
    fan_in_fan_out: transposed,
    init_lora_weights: true,
    modules_to_save: null,
  };
}
