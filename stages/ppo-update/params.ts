/** Parameters of `ppo-update`: their schema, and which values exclude each other. @module */
import { z } from "zod";
import { KL_ESTIMATORS_AT } from "@/lib/model/rl/kl_placement.ts";
import { OBJECTIVE_PARAMS } from "./params_objective.ts";
import { TRAINING_PARAMS } from "./params_training.ts";

/** Strict schema of the stage's parameters; null switches off. */
export const params = z.strictObject({ ...TRAINING_PARAMS, ...OBJECTIVE_PARAMS })
  .superRefine((given, context) => {
    for (const [name, message] of conflicts(given)) {
      context.addIssue({ code: "custom", path: [name], message });
    }
  });

/** Checked parameters. */
export type Params = z.output<typeof params>;

/** Old names of parameters, with their new ones. */
export const RENAMED = {
  critic_warmup_rounds: "critic_warmup_iterations",
  lr_warmup_rounds: "lr_warmup_iterations",
  schedule_rounds: "schedule_iterations",
  placement: "reward_placement",
} as const;

/** Returns whether the advantage estimator needs no critic. */
export function isCriticFree({ advantage_estimator }: Pick<Params, "advantage_estimator">): boolean {
  return advantage_estimator !== "gae";
}

/** Returns the parameters that exclude each other: the one to change, and what it must be. */
function conflicts(p: Params): [keyof Params, string][] {
  const found: [keyof Params, string][] = [];
  const rule = (broken: boolean, name: keyof Params, message: string) => {
    if (broken) found.push([name, message]);
  };
  const hasResidualCritic = p.residual_critic && !isCriticFree(p);
  const estimators: readonly string[] = KL_ESTIMATORS_AT[p.kl_placement];
  rule(
    p.kl_estimator !== null && !estimators.includes(p.kl_estimator),
    "kl_estimator",
    `must be ${
      estimators.join(" or ")
    } with kl_placement=${p.kl_placement}: the expected gradient of ${p.kl_estimator} in the ${p.kl_placement} is not that of a KL`,
  );
  rule(
    p.kl_target !== null && p.beta === 0,
    "beta",
    "must be above 0 with kl_target, because the KL controller multiplies it",
  );
  rule(
    p.reward_placement === "dense" && hasResidualCritic,
    "residual_critic",
    "must be false with reward_placement=dense: use one of them, as with gamma 1 both give the same advantages",
  );
  rule(
    p.whiten_rewards && hasResidualCritic,
    "residual_critic",
    "must be false with whiten_rewards, because a residual critic adds rewards that are not whitened",
  );
  rule(
    p.truncated_value === "bootstrap" && isCriticFree(p),
    "truncated_value",
    `must be zero with advantage_estimator=${p.advantage_estimator}, because bootstrapping requires a critic`,
  );
  rule(
    p.truncated_value === "bootstrap" && p.missing_eos !== "score",
    "truncated_value",
    `must be zero with missing_eos=${p.missing_eos}: ${
      p.missing_eos === "mask"
        ? "truncated responses are excluded from training"
        : "the penalty treats the response as ended, bootstrap as unfinished"
    }`,
  );
  rule(
    p.advantage_estimator === "reinforce_pp" && !p.whiten_advantages,
    "whiten_advantages",
    "must be true with advantage_estimator=reinforce_pp (without whitening, use reinforce)",
  );
  rule(
    p.tis_cap !== null && p.old_logprobs === "sampled",
    "tis_cap",
    "must be null with old_logprobs=sampled: the importance weights need recomputed log-probabilities",
  );
  rule(
    p.lr_schedule !== "constant" && p.schedule_iterations === null,
    "schedule_iterations",
    "must be given unless lr_schedule is constant",
  );
  return found;
}
