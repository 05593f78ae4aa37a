/**
 * Values of parameters that are left null: they follow from the advantage estimator, so that `grpo`, `dr_grpo` and `dapo` are the algorithms of
 * these names and not only their advantages.
 * @module
 */
import type { AdvantageEstimator } from "@/lib/model/rl/advantage_estimators.ts";
import type { AGGREGATIONS } from "@/lib/model/rl/aggregate.ts";
import type { KlEstimator } from "@/lib/model/rl/kl.ts";
import type { KlPlacement } from "@/lib/model/rl/kl_placement.ts";

/** Parameters that a preset decides. */
export interface Preset {
  readonly normalise_reward: boolean;
  readonly whiten_advantages: boolean;
  readonly kl_placement: KlPlacement;
  readonly loss_aggregation: typeof AGGREGATIONS[number];
  readonly beta: number;
}

/** The parameters that the resolution reads, as given. */
export type Given =
  & { readonly [Name in keyof Preset]: Preset[Name] | null }
  & {
    readonly advantage_estimator: AdvantageEstimator;
    readonly kl_estimator: KlEstimator | null;
    readonly clip_range_high: number | null;
  };

/** Parameters with a value for each that a preset decides. */
export type Resolved<P extends Given> = Omit<P, keyof Preset> & Preset;

const PPO: Preset = {
  normalise_reward: true,
  whiten_advantages: true,
  kl_placement: "reward",
  loss_aggregation: "token_mean",
  beta: 0.05,
};

/** Advantages compare the responses to a prompt as they are: rewards are not scaled, advantages not whitened. The KL is in the loss. */
const GROUP: Preset = { ...PPO, normalise_reward: false, whiten_advantages: false, kl_placement: "loss" };

/**
 * GRPO (arXiv:2402.03300), Dr. GRPO (arXiv:2503.20783) and DAPO (arXiv:2503.14476) as `loss_type` of these names in TRL's GRPOTrainer, with β and ε of the
 * papers. Dynamic sampling and the soft length penalty of DAPO are not included.
 */
const PRESETS: Readonly<Partial<Record<AdvantageEstimator, Preset>>> = {
  grpo: { ...GROUP, loss_aggregation: "sequence_mean", beta: 0.04 },
  dr_grpo: { ...GROUP, loss_aggregation: "constant_length", beta: 0 },
  dapo: { ...GROUP, loss_aggregation: "token_mean", beta: 0 },
};

/** Upper clip range of DAPO. */
const DAPO_CLIP_HIGH = 0.28;

/** Returns the parameters with the values of the estimator's preset where they are null. */
export function resolvedParams<P extends Given>(given: P): Resolved<P> {
  const { advantage_estimator: estimator } = given, preset = PRESETS[estimator];
  const { normalise_reward, whiten_advantages, kl_placement, loss_aggregation, beta } = preset ?? PPO;
  const placement = given.kl_placement ?? kl_placement;
  return {
    ...given,
    normalise_reward: given.normalise_reward ?? normalise_reward,
    whiten_advantages: given.whiten_advantages ?? whiten_advantages,
    kl_placement: placement,
    loss_aggregation: given.loss_aggregation ?? loss_aggregation,
    beta: given.beta ?? beta,
    kl_estimator: given.kl_estimator ?? (preset && placement === "loss" ? "k3" : null),
    clip_range_high: given.clip_range_high ?? (estimator === "dapo" ? DAPO_CLIP_HIGH : null),
  };
}
