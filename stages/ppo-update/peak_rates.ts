/** Learning rates of policy and critic before warmup and schedule: given, or fixed ratios of another training's. @module */
import { peakLearningRate } from "@/lib/data/contracts/learning_rate.ts";
import type { Params } from "./params.ts";

/** Learning rates before warmup and schedule. */
export interface PeakRates {
  readonly policy: number;
  readonly critic: number;
}

/** The parameters that decide. */
type RateParams = Pick<Params, "lr" | "lr_ratio" | "critic_lr" | "critic_lr_ratio">;

/** Returns the setting that requires the input `lr_of`; undefined if none does. */
export function followingRate({ lr, critic_lr }: Pick<Params, "lr" | "critic_lr">): string | undefined {
  return lr === "auto" ? "lr=auto" : critic_lr === "auto" ? "critic_lr=auto" : undefined;
}

/**
 * Returns the learning rates; for `auto`, the ratio times the peak learning rate of the training that wrote `lrOf`.
 * @param lrOf metrics file; required with `auto`
 * @throws {DataError} if it has no learning rate
 */
export function peakRates(params: RateParams, lrOf: string | undefined): PeakRates {
  const { lr, lr_ratio, critic_lr, critic_lr_ratio } = params;
  // The stage's `needs` requires the file.
  const followed = followingRate(params) === undefined ? NaN : peakLearningRate(lrOf!);
  return {
    policy: lr === "auto" ? lr_ratio * followed : lr,
    critic: critic_lr === "auto" ? critic_lr_ratio * followed : critic_lr,
  };
}
