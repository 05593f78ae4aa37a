/** Loads the model that is trained: all its weights, random weights for a config.json alone, a new adapter, or the adapter that it is. @module */
import { type LoadedModel, loadFrozenModel, loadLanguageModel } from "@/lib/model/models/checkpoint.ts";
import { initialModel, isWithoutWeights } from "@/lib/model/models/initial_model.ts";
import { PLAIN_LORA } from "@/lib/model/models/lora/adapter.ts";
import { newAdapter } from "@/lib/model/models/lora/new_adapter.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Params } from "./params.ts";

/** The parameters that decide which weights are trained. */
type StartParams = Pick<
  Params,
  "loss" | "lora_rank" | "lora_alpha" | "lora_target_modules" | "use_rslora"
>;

/**
 * Returns the model that training changes.
 * @param seed of a new adapter's weights, and of random weights where the directory has none (with loss `all`)
 * @throws {DataError} if the directory holds no language model, or an adapter while lora_rank > 0, or a target names no linear map
 */
export function startingModel(directory: string, params: StartParams, seed: number): LoadedModel {
  const { loss, lora_rank: rank, lora_alpha: alpha, lora_target_modules: modules, use_rslora } = params;
  if (loss === "all" && rank === 0 && isWithoutWeights(directory)) return initialModel(directory, seed);
  if (rank === 0) return loadLanguageModel(directory);
  const base = loadFrozenModel(directory);
  if (base.model.adapter) {
    throw new DataError(
      `lora_rank must be 0 to train the adapter ${directory}, got ${rank}: a model can have one adapter only`,
      { file: directory },
    );
  }
  const targets = modules.length === 1 && modules[0] === "all-linear" ? "all-linear" : modules;
  const config = { ...PLAIN_LORA, rank, alpha, rankStabilised: use_rslora, targets } as const;
  return newAdapter(base, config, { baseDirectory: directory, seed });
}
