/**
 * Beta from iteration to iteration: fixed or adaptive, and multiplied while the fluency budget is exceeded. Pure; what must be kept is in the
 * trainer's state.
 * @module
 */
import type { TrainerState } from "@/lib/data/contracts/trainer_state.ts";
import { adaptiveKl } from "@/lib/model/rl/adaptive_kl.ts";
import { fluencyFactor } from "@/lib/model/rl/fluency_budget.ts";
import { betaUnit } from "@/lib/model/rl/relative_kl.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { Params } from "./params.ts";
import type { RolloutStatistics } from "./statistics.ts";
import type { Rollout } from "./trajectory.ts";

/** The two controllers of the KL penalty. */
export interface KlControl {
  /** the parameter, or the value of the adaptive controller */
  readonly beta: number;
  /** of the fluency budget, at least 1 */
  readonly fluencyFactor: number;
}

/** Returns the beta that an iteration uses. */
export function effectiveBeta({ beta, fluencyFactor }: KlControl): number {
  return beta * fluencyFactor;
}

/** Units of relative_beta and relative_kl_stop. */
export interface RelativeUnits {
  /** σ/√H, nats of reward per nat of KL */
  readonly beta_unit: number;
  /** H, nats per response */
  readonly response_entropy: number;
}

/**
 * Returns the units of the relative parameters: the state's, or those of this iteration, which the state then keeps. Undefined where no such
 * parameter is set.
 * @throws {DataError} if the responses have no entropy
 */
export function relativeUnits(
  state: TrainerState,
  rollouts: readonly Pick<Rollout, "reward">[],
  { response_entropy: entropy }: Pick<RolloutStatistics, "response_entropy">,
  { relative_beta, relative_kl_stop }: Params,
): RelativeUnits | undefined {
  if (relative_beta === null && relative_kl_stop === null) return undefined;
  const { beta_unit, response_entropy } = state.firstIteration ?? {};
  if (beta_unit !== undefined && response_entropy !== undefined) return { beta_unit, response_entropy };
  if (!(entropy > 0)) {
    throw new DataError(
      `relative_beta and relative_kl_stop require responses with an entropy above 0, got ${entropy} nats`,
      { column: "logprobs" },
    );
  }
  return { beta_unit: betaUnit(rollouts.map(({ reward }) => reward), entropy), response_entropy: entropy };
}

/** Returns this iteration's controllers: the state's where one is on and has begun, the parameter's otherwise. */
export function klControlOf(
  state: TrainerState,
  { beta, relative_beta, kl_target, fluency_budget }: Params,
  units?: RelativeUnits,
): KlControl {
  const given = relative_beta === null ? beta : relative_beta * units!.beta_unit;
  return {
    beta: kl_target === null || state.iteration === 0 ? given : state.beta,
    fluencyFactor: fluency_budget === null ? 1 : state.fluencyFactor ?? 1,
  };
}

/**
 * Returns the next iteration's controllers.
 * @param iteration.firstNll base_nll of the first iteration; undefined where it has none
 * @param iteration.policyUpdated false during the critic's warm-up: both controllers then wait
 */
export function nextKlControl(
  control: KlControl,
  iteration: {
    readonly statistics: RolloutStatistics;
    readonly firstNll: number | undefined;
    readonly policyUpdated: boolean;
  },
  params: Params,
): KlControl {
  const { statistics, firstNll, policyUpdated } = iteration;
  if (!policyUpdated) return control;
  const { kl_target: target, kl_horizon: horizon, fluency_budget: budget, fluency_growth: growth } = params;
  const { responses: steps, base_nll: nll } = statistics;
  return {
    beta: target === null
      ? control.beta
      : adaptiveKl(control.beta, klToReference(statistics, params), { target, horizon, steps }),
    fluencyFactor: budget === null || nll === undefined || firstNll === undefined
      ? control.fluencyFactor
      : fluencyFactor(control.fluencyFactor, nll - firstNll, { budget, growth }),
  };
}

/** Returns the KL to the reference of the penalty, nats per response. */
export function klToReference(
  { kl_to_sft, kl_to_base }: RolloutStatistics,
  { kl_reference }: Params,
): number {
  return { sft: kl_to_sft, base: kl_to_base, both: (kl_to_sft + kl_to_base) / 2 }[kl_reference];
}
