/** New adapters, which do not change their base until they are trained. @module */
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { ParameterVector } from "../parameters.ts";
import type { LoadedModel } from "../plain_checkpoint.ts";
import { adaptedMaps } from "./adapted_maps.ts";
import { adaptedModel, adapterSpecs } from "./adapted_model.ts";
import { adapterNames, type LoraConfig } from "./adapter.ts";

/** Base and seed of a new adapter. */
export interface NewAdapterOptions {
  readonly baseDirectory: string;
  readonly seed: number;
}

/**
 * Returns a new adapter on `base`, whose weights it shares. As in PEFT, B is 0 and A uniform within ±1/√in, which is
 * Kaiming's bound for a = √5 (He et al. 2015, arXiv:1502.01852, eq. 10). The random stream of a map depends on the seed
 * and its name only.
 * @throws {DataError} if a target matches no linear map
 */
export function newAdapter(
  base: LoadedModel,
  config: LoraConfig,
  { baseDirectory, seed }: NewAdapterOptions,
): LoadedModel {
  const maps = adaptedMaps(base.model, config, "lora_target_modules");
  const parameters = new ParameterVector(maps.flatMap(adapterSpecs), { backbone: base.parameters });
  for (const { module, inner } of maps) {
    const { a } = adapterNames(module), key = makeKey(seed, "lora", module), bound = 1 / Math.sqrt(inner);
    const view = parameters.view(a);
    for (let i = 0; i < view.length; i++) view[i] = bound * (2 * uniform(key, i) - 1);
  }
  return { model: adaptedModel({ config, maps, base: base.model, baseDirectory }), parameters };
}
