/** Parameters of `ppo-update`: their schema, and which values exclude each other. @module */
import { z } from "zod";
import { KL_ESTIMATORS_AT } from "@/lib/model/rl/kl_placement.ts";
import { OBJECTIVE_PARAMS } from "./objective_params.ts";
import { type Resolved, resolvedParams } from "./presets.ts";
import { TRAINING_PARAMS } from "./training_params.ts";

const fields = z.strictObject({ ...TRAINING_PARAMS, ...OBJECTIVE_PARAMS });
type GivenFields = z.output<typeof fields>;

/** Strict schema of the stage's parameters; null switches off, or leaves the value to advantage_estimator. */
export const params = fields
  .superRefine((given, context) => {
    for (const [name, message] of conflicts(given, resolvedParams(given))) {
      context.addIssue({ code: "custom", path: [name], message });
    }
  });

/** Checked parameters, with a value for each that advantage_estimator decides where it was left null (presets.ts). */
export type Params = Resolved<GivenFields>;

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

/** Returns whether there is a critic, as a head on the policy. */
export function hasSharedCritic(params: Pick<Params, "advantage_estimator" | "critic_trunk">): boolean {
  return params.critic_trunk === "shared" && !isCriticFree(params);
}

/** Returns the setting that reads the reward of each token, not only that of the response; undefined if none does. */
export function rewardPerTokenReader(params: Params): string | undefined {
  if (params.reward_placement === "dense") return "reward_placement=dense";
  return params.residual_critic && !isCriticFree(params) ? "residual_critic=true" : undefined;
}

/** A rule that is broken: the parameter to change, and what it must be. */
type Conflict = readonly [name: keyof Params, message: string];

/** Returns the parameters that exclude each other. */
function conflicts(given: GivenFields, p: Params): Conflict[] {
  return [...klConflicts(given, p), ...otherConflicts(p)];
}

/** Returns a list of conflicts, and a function that adds one if a rule is broken. */
function conflictList() {
  const found: Conflict[] = [];
  const rule = (broken: boolean, name: keyof Params, message: string) => {
    if (broken) found.push([name, message]);
  };
  return { found, rule };
}

/** Returns the conflicts of β, the KL penalty and the KL stops. */
function klConflicts(given: GivenFields, p: Params): Conflict[] {
  const { found, rule } = conflictList();
  const estimators: readonly string[] = KL_ESTIMATORS_AT[p.kl_placement];
  rule(
    p.kl_estimator !== null && !estimators.includes(p.kl_estimator),
    "kl_estimator",
    `must be ${
      estimators.join(" or ")
    } with kl_placement=${p.kl_placement}: the expected gradient of ${p.kl_estimator} in the ${p.kl_placement} is not that of a KL`,
  );
  rule(
    p.kl_target !== null && p.relative_beta === null && p.beta === 0,
    "beta",
    "must be above 0 with kl_target, because the KL controller multiplies it",
  );
  rule(
    p.relative_beta !== null && given.beta !== null,
    "relative_beta",
    `must be null with beta=${p.beta}: both set the coefficient of the KL penalty`,
  );
  rule(
    p.relative_beta !== null && (p.advantage_estimator === "grpo" || p.advantage_estimator === "dapo"),
    "relative_beta",
    `must be null with advantage_estimator=${p.advantage_estimator}, which divides rewards by the deviation of each group: use beta`,
  );
  const stops = (["kl_stop", "kl_stop_per_token"] as const).filter((name) => p[name] !== null);
  rule(
    p.relative_kl_stop !== null && stops.length > 0,
    "relative_kl_stop",
    `must be null with ${stops.map((name) => `${name}=${p[name]}`).join(" and ")} (null switches a stop off)`,
  );
  return found;
}

/** Returns the conflicts of rewards, advantages, losses and schedules. */
function otherConflicts(p: Params): Conflict[] {
  const { found, rule } = conflictList();
  const hasResidualCritic = p.residual_critic && !isCriticFree(p);
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
    p.loss_aggregation === "constant_length" && p.max_new_tokens === null,
    "max_new_tokens",
    p.advantage_estimator === "dr_grpo"
      ? "must be that of rollout with advantage_estimator=dr_grpo, which divides by it"
      : "must be that of rollout with loss_aggregation=constant_length, which divides by it",
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
