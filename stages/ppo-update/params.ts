/** Parameters of `ppo-update`: their schema, and what must hold between them. @module */
import { z } from "zod";
import { KL_ESTIMATORS_AT } from "@/lib/rl/kl_placement.ts";
import { GUARD_PARAMS } from "./params_guard.ts";
import { KL_PARAMS } from "./params_kl.ts";
import { LOSS_PARAMS } from "./params_loss.ts";
import { REWARD_PARAMS } from "./params_reward.ts";
import { OPTIMIZER_PARAMS, UPDATE_PARAMS } from "./params_training.ts";

/** Strict schema of the stage's parameters; null switches off. */
export const params = z.strictObject({
  ...UPDATE_PARAMS,
  ...KL_PARAMS,
  ...REWARD_PARAMS,
  ...LOSS_PARAMS,
  ...GUARD_PARAMS,
  ...OPTIMIZER_PARAMS,
}).superRefine((given, context) => {
  for (const [name, message] of conflicts(given)) {
    context.addIssue({ code: "custom", path: [name], message });
  }
});

/** Checked parameters. */
export type Params = z.output<typeof params>;

/** Whether the estimator learns without a critic. */
export function isCriticFree({ advantage_estimator }: Pick<Params, "advantage_estimator">): boolean {
  return advantage_estimator !== "gae";
}

/** Parameters that do not go together: the one to change, and what must hold. */
function conflicts(p: Params): [keyof Params, string][] {
  const found: [keyof Params, string][] = [];
  const rule = (broken: boolean, name: keyof Params, message: string) => {
    if (broken) found.push([name, message]);
  };
  const estimators: readonly string[] = KL_ESTIMATORS_AT[p.kl_placement];
  rule(
    p.kl_estimator !== null && !estimators.includes(p.kl_estimator),
    "kl_estimator",
    `must be ${
      estimators.join(" or ")
    } where kl_placement is ${p.kl_placement}: ${p.kl_estimator} has not the KL's gradient there`,
  );
  rule(p.kl_target !== null && p.beta === 0, "beta", "must be above 0 where kl_target adapts it: 0 stays 0");
  rule(
    p.placement === "dense" && p.residual_critic && !isCriticFree(p),
    "residual_critic",
    "must be false where placement is dense: the critic then expects what is still to come, and with gamma 1 the advantages " +
      "are the same",
  );
  rule(
    p.whiten_rewards && p.residual_critic && !isCriticFree(p),
    "residual_critic",
    "must be false where whiten_rewards is true: what was earned and what is paid are then in other units",
  );
  rule(
    p.truncated_value === "bootstrap" && isCriticFree(p),
    "truncated_value",
    `must be zero where advantage_estimator is ${p.advantage_estimator}: there is no critic to say what is still to come`,
  );
  rule(
    p.truncated_value === "bootstrap" && p.missing_eos !== "score",
    "truncated_value",
    `must be zero where missing_eos is ${p.missing_eos}: ${
      p.missing_eos === "mask"
        ? "nothing is learned from cut responses"
        : "the penalty is paid at an end, and bootstrap takes the response to go on"
    }`,
  );
  rule(
    p.advantage_estimator === "reinforce_pp" && !p.whiten_advantages,
    "whiten_advantages",
    "must be true for reinforce_pp; without it, it is reinforce",
  );
  rule(
    p.tis_cap !== null && p.old_logprobs === "sampled",
    "tis_cap",
    "must be null where old_logprobs is sampled: there is nothing to weigh the sampler against",
  );
  rule(
    p.lr_schedule !== "constant" && p.schedule_iterations === null,
    "schedule_iterations",
    "must be given unless lr_schedule is constant",
  );
  return found;
}
