/** What is trained: all weights of a model, those of a config.json alone from random ones on, a new adapter on it, or the adapter that it is. @module */
import { type LoadedModel, loadFrozenModel, loadLanguageModel } from "@/lib/models/checkpoint.ts";
import { initialModel, isWithoutWeights } from "@/lib/models/initial_model.ts";
import { type LoraConfig, PLAIN_LORA } from "@/lib/models/lora/adapter.ts";
import { newAdapter } from "@/lib/models/lora/new_adapter.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { Params } from "./params.ts";

/** The parameters that say whether pretraining may begin here. */
export type StartParams = LoraParams & Pick<Params, "loss">;

/** The parameters that say whether and how an adapter is made. */
export type LoraParams = Pick<Params, "lora_rank" | "lora_alpha" | "lora_target_modules" | "use_rslora">;

/**
 * The model that training changes.
 * @param seed of a new adapter's weights, and of a model's that has a config.json and none (with loss `all`)
 * @throws {DataError} if the directory holds no language model, or an adapter where a new one is asked for, or a target
 *   names no linear map
 */
export function startingModel(directory: string, params: StartParams, seed: number): LoadedModel {
  if (params.loss === "all" && params.lora_rank === 0 && isWithoutWeights(directory)) {
    return initialModel(directory, seed);
  }
  if (params.lora_rank === 0) return loadLanguageModel(directory);
  const base = loadFrozenModel(directory);
  if (base.model.adapter) {
    throw new DataError(
      `Cannot put an adapter of rank ${params.lora_rank} on ${directory} as a model may have one adapter: it is one ` +
        "already, which lora_rank 0 trains on",
      { file: directory },
    );
  }
  return newAdapter(base, configOf(params), { baseDirectory: directory, seed });
}

function configOf({ lora_rank, lora_alpha, lora_target_modules, use_rslora }: LoraParams): LoraConfig {
  const [only, ...others] = lora_target_modules;
  return {
    ...PLAIN_LORA,
    rank: lora_rank,
    alpha: lora_alpha,
    rankStabilised: use_rslora,
    targets: others.length === 0 && only === "all-linear" ? only : lora_target_modules,
  };
}
