/**
 * The weight of the KL penalty from round to round: fixed or adaptive, and raised while the fluency budget is exceeded. Pure; what it must remember
 * lies in the trainer's state.
 * @module
 */
import type { TrainerState } from "@/lib/contracts/trainer_state.ts";
import { adaptiveKl } from "@/lib/rl/adaptive_kl.ts";
import { fluencyFactor } from "@/lib/rl/fluency_budget.ts";
import type { Params } from "./params.ts";
import { klTo, type RoundFigures } from "./round_figures.ts";

/** The two factors of beta. */
export interface KlWeight {
  /** the parameter, or what the adaptive controller made of it */
  readonly coefficient: number;
  /** of the fluency budget, at least 1 */
  readonly factor: number;
}

/** Beta of a round. */
export const betaOf = ({ coefficient, factor }: KlWeight): number => coefficient * factor;

/** The weight of this round: the state's where a controller is on and has begun, the parameter's otherwise. */
export function klWeightOf(state: TrainerState, { beta, kl_target, fluency_budget }: Params): KlWeight {
  return {
    coefficient: kl_target === null || state.iteration === 0 ? beta : state.beta,
    factor: fluency_budget === null ? 1 : state.fluencyFactor ?? 1,
  };
}

/**
 * The weight of the next round.
 * @param round.figures of the rollouts that this round learned from
 * @param round.firstNll base NLL of the first round; undefined where it has none
 * @param round.moved false while only the critic learns: a KL that nothing moved says nothing about beta
 */
export function nextKlWeight(
  weight: KlWeight,
  round: {
    readonly figures: RoundFigures;
    readonly firstNll: number | undefined;
    readonly moved: boolean;
  },
  params: Params,
): KlWeight {
  const { kl_target: target, kl_horizon: horizon, fluency_budget: budget, fluency_growth: growth } = params;
  const { figures, firstNll, moved } = round;
  const isAdaptive = target !== null && moved, isWatched = budget !== null && moved;
  const nll = figures.base_nll;
  return {
    coefficient: isAdaptive
      ? adaptiveKl(weight.coefficient, klTo(figures, params.kl_reference), {
        target,
        horizon,
        steps: figures.responses,
      })
      : weight.coefficient,
    factor: isWatched && nll !== undefined && firstNll !== undefined
      ? fluencyFactor(weight.factor, nll - firstNll, { budget, growth })
      : weight.factor,
  };
}
