/** Advantages and losses: parameters of `ppo-update`. @module */
import { z } from "zod";
import { ADVANTAGE_ESTIMATORS } from "@/lib/rl/advantage_estimators.ts";
import { TRUNCATED_VALUES } from "@/lib/rl/ppo_rewards.ts";

/** How per-token losses of the policy become one number, as the parameter spells it. */
export const LOSS_AGGREGATIONS = ["token_mean", "sequence_mean", "sequence_sum"] as const;

/** Fields of the schema; null switches off. */
export const LOSS_PARAMS = {
  advantage_estimator: z.enum(ADVANTAGE_ESTIMATORS).default("gae")
    .describe(
      "How advantages are estimated. All but gae need no critic, and one that is given passes through; rloo, grpo and " +
        "reinforce_pp_baseline compare answers to one prompt.",
    )
    .meta({ source: "PPO (arXiv:1707.06347): gae" }),
  gamma: z.number().gt(0).max(1).default(1)
    .describe("Discount per token.").meta({ unit: "1", source: "InstructGPT: 1" }),
  lambda: z.number().min(0).max(1).default(0.95)
    .describe("λ of generalised advantage estimation.").meta({ unit: "1", source: "arXiv:2403.17031: 0.95" }),
  residual_critic: z.boolean().default(true)
    .describe("Whether a value is the reward that the response has earned so far plus the critic's output.")
    .meta({ source: "ours: same objective, less variance; needs gamma 1 to be exact" }),
  truncated_value: z.enum(TRUNCATED_VALUES).default("zero")
    .describe(
      "What stands for the rest of a response that the length limit cut: nothing, as if it had ended, or the critic's value of " +
        "the state behind its last token, in place of a reward that is paid at an end.",
    )
    .meta({ source: "TRL, OpenRLHF and verl: zero; Pardo et al. 2018 (arXiv:1712.00378): bootstrap" }),
  whiten_advantages: z.boolean().default(true)
    .describe("Whether advantages get mean 0 and variance 1 over the tokens of a round.")
    .meta({ source: "arXiv:2403.17031" }),
  advantage_clip: z.number().positive().nullable().default(null)
    .describe("Bound of an advantage, after whitening. null: none.")
    .meta({ unit: "1", source: "null; PPO-max (arXiv:2307.04964) tried 0.5" }),
  clip_range: z.number().gt(0).lt(1).default(0.2)
    .describe("The ratio counts between 1 − clip_range and 1 + clip_range.")
    .meta({ unit: "1", source: "arXiv:1707.06347: 0.2" }),
  clip_range_high: z.number().positive().nullable().default(null)
    .describe("Upper bound of the ratio above 1. null: clip_range.")
    .meta({ unit: "1", source: "null as in PPO; DAPO (arXiv:2503.14476) takes 0.28" }),
  dual_clip: z.number().gt(1).nullable().default(null)
    .describe("Bound of the loss where the advantage is negative, in units of it. null: none.")
    .meta({ unit: "1", source: "arXiv:1912.09729; verl takes 3" }),
  clip_range_value: z.number().positive().nullable().default(0.2)
    .describe("How far a value may move from its value at the rollouts. null: no bound.")
    .meta({ unit: "scaled reward", source: "TRL: 0.2" }),
  loss_aggregation: z.enum(LOSS_AGGREGATIONS).default("token_mean")
    .describe(
      "How the policy's loss weighs tokens: all of a minibatch alike, each response alike by its mean, or each by its sum.",
    )
    .meta({ source: "TRL, OpenRLHF and verl: token mean; GRPO: sequence mean" }),
  entropy_coef: z.number().min(0).default(0)
    .describe("Weight of the entropy bonus.")
    .meta({ unit: "1", source: "InstructGPT: 0" }),
  demo_mix: z.number().min(0).default(0)
    .describe(
      "Weight of the supervised loss on demonstrations (input tokens), as many per update as a minibatch has rollouts.",
    )
    .meta({
      unit: "1",
      source: "0; PPO-ptx (arXiv:2203.02155) took 27.8 beside losses that are not whitened",
    }),
} as const;
