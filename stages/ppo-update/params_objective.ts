/** Rewards, KL penalty, advantages and losses: parameters of `ppo-update`. @module */
import { z } from "zod";
import { ADVANTAGE_ESTIMATORS } from "@/lib/model/rl/advantage_estimators.ts";
import { AGGREGATIONS } from "@/lib/model/rl/aggregate.ts";
import { KL_PLACEMENTS } from "@/lib/model/rl/kl_placement.ts";
import { MISSING_EOS, REWARD_PLACEMENTS, TRUNCATED_VALUES } from "@/lib/model/rl/ppo_rewards.ts";

/** Fields of the schema; null switches off. */
export const OBJECTIVE_PARAMS = {
  beta: z.number().min(0).default(0.05)
    .describe("β: coefficient of the KL penalty.")
    .meta({
      unit: "nats of reward per nat",
      source: "TRL and arXiv:2403.17031: 0.05",
      details:
        "In units of the raw reward, whatever the reward is scaled by. With kl_target it is the initial value.",
    }),
  kl_reference: z.enum(["sft", "base", "both"]).default("sft")
    .describe("Reference model of the KL penalty: SFT, base, or half to each.")
    .meta({ source: "InstructGPT (arXiv:2203.02155): the SFT model" }),
  kl_placement: z.enum(KL_PLACEMENTS).default("reward")
    .describe("KL penalty in each token's reward, or in the policy loss.")
    .meta({ source: "InstructGPT: in the reward; GRPO (arXiv:2402.03300): in the loss" }),
  kl_estimator: z.enum(["k1", "k2", "k3"]).nullable().default(null)
    .describe("KL estimator. null: k1 in the reward, k2 in the loss.")
    .meta({
      source: "Schulman 2020, Approximating KL divergence; arXiv:2506.09477",
      details:
        "k1 in the reward; k2 or k3 in the loss. Others are refused: their expected gradient is not the KL's there.",
    }),
  kl_clip: z.number().positive().nullable().default(null)
    .describe("Bound of a token's log-ratio in the KL penalty.")
    .meta({
      unit: "nats",
      source: "PPO: off; verl: 20, OpenRLHF: 10",
      details: "null: none in the reward, 20 in the loss.",
    }),
  kl_target: z.number().positive().nullable().default(null)
    .describe("Target KL of adaptive β. null: β is fixed.")
    .meta({
      unit: "nats per response",
      source: "TRL: off; Ziegler et al. 2019: 6",
      details: "Measured to kl_reference. Beta is adapted after every iteration that updates the policy.",
    }),
  kl_horizon: z.number().positive().default(10000)
    .describe("Horizon of adaptive β.")
    .meta({
      unit: "responses",
      source: "Ziegler et al. 2019: 10000",
      details: "Over this many responses beta changes by a factor of at most about e^0.2.",
    }),
  fluency_budget: z.number().min(0).nullable().default(null)
    .describe("Allowed rise of base NLL before β is increased. null: unlimited.")
    .meta({
      unit: "nats per token",
      source: "ours: off; a rise of 0.05 is barely visible in the text",
      details: "The rise of base_nll over the first iteration's.",
    }),
  fluency_growth: z.number().gt(1).default(1.2)
    .describe("Factor on β per iteration beyond the fluency budget.")
    .meta({
      unit: "1",
      source: "ours: doubles in four iterations",
      details: "Within the budget beta is divided by it again, down to its value without a budget.",
    }),
  kl_stop: z.number().positive().nullable().default(null)
    .describe("Stop training when the mean KL to SFT exceeds this.")
    .meta({
      unit: "nats per response",
      source: "ours: off, as it depends on the length; see kl_stop_per_token",
    }),
  kl_stop_per_token: z.number().positive().nullable().default(0.3)
    .describe("Stop training when the KL to SFT per token exceeds this.")
    .meta({
      unit: "nats per token",
      source: "ours: a third of arXiv:2403.17031, whose best models are below 50 nats per 53 tokens",
    }),
  normalise_reward: z.boolean().default(true)
    .describe("Centre and scale rewards.")
    .meta({ source: "Ziegler et al. 2019 (arXiv:1909.08593)" }),
  reward_scaling: z.enum(["first_iteration", "running"]).default("first_iteration")
    .describe("Rewards that fix mean and std: first iteration, or all so far.")
    .meta({ source: "Ziegler et al. 2019: once; PPO-max (arXiv:2307.04964): running" }),
  centre_reward: z.boolean().default(true)
    .describe("Subtract the mean reward. false: scale only.")
    .meta({ source: "Ziegler et al. 2019; PPO-max and Huang et al. 2022: false" }),
  reward_clip: z.number().positive().nullable().default(null)
    .describe("Clip range of the scaled reward.")
    .meta({ unit: "scaled reward", source: "Ziegler et al. 2019: off; PPO-max and OpenRLHF: 10" }),
  missing_eos: z.enum(MISSING_EOS).default("score")
    .describe("Reward of truncated responses: their score, a penalty, or mask them.")
    .meta({
      source: "TRL: no penalty; there missing_eos_penalty and mask_truncated_completions",
      details: "penalty: missing_eos_value in place of the reward. mask: neither network is trained on them.",
    }),
  missing_eos_value: z.number().default(-1)
    .describe("Reward of truncated responses under missing_eos=penalty.")
    .meta({ unit: "scaled reward", source: "arXiv:2403.17031: −1 in place of the score" }),
  reward_placement: z.enum(REWARD_PLACEMENTS).default("eos")
    .describe("Reward at the last token (eos), or at each token (dense).")
    .meta({ source: "Self-Rewarding PPO (arXiv:2510.21090): eos" }),
  whiten_rewards: z.boolean().default(false)
    .describe("Scale token rewards, KL penalty included, to variance 1.")
    .meta({ source: "TRL: false", details: "Over all tokens of an iteration; their mean is kept." }),
  advantage_estimator: z.enum(ADVANTAGE_ESTIMATORS).default("gae")
    .describe("Advantage estimator. All but gae work without a critic.")
    .meta({
      source: "PPO (arXiv:1707.06347): gae",
      details:
        "rloo, grpo and reinforce_pp_baseline compare responses to the same prompt. Without gae, a given critic is passed on unchanged.",
    }),
  gamma: z.number().gt(0).max(1).default(1)
    .describe("Discount γ per token.").meta({ unit: "1", source: "InstructGPT: 1" }),
  lambda: z.number().min(0).max(1).default(0.95)
    .describe("λ of generalised advantage estimation (GAE).").meta({
      unit: "1",
      source: "arXiv:2403.17031: 0.95",
    }),
  residual_critic: z.boolean().default(true)
    .describe("Residual critic: value = reward of tokens so far + critic output.")
    .meta({ source: "ours: same objective, less variance", details: "Exact for gamma = 1." }),
  truncated_value: z.enum(TRUNCATED_VALUES).default("zero")
    .describe("Value after a truncated response: zero, or the critic's (bootstrap).")
    .meta({
      source: "TRL, OpenRLHF and verl: zero; Pardo et al. 2018 (arXiv:1712.00378): bootstrap",
      details: "With bootstrap, a truncated response is not given the reward of an end.",
    }),
  whiten_advantages: z.boolean().default(true)
    .describe("Whiten advantages over all tokens of an iteration.")
    .meta({ source: "arXiv:2403.17031" }),
  advantage_clip: z.number().positive().nullable().default(null)
    .describe("Clip range of advantages, after whitening.")
    .meta({ unit: "1", source: "PPO: off; PPO-max (arXiv:2307.04964) tried 0.5" }),
  clip_range: z.number().gt(0).lt(1).default(0.2)
    .describe("PPO clip range ε: ratios are clipped to [1−ε, 1+ε].")
    .meta({ unit: "1", source: "arXiv:1707.06347: 0.2" }),
  clip_range_high: z.number().positive().nullable().default(null)
    .describe("Upper clip range: ratios are at most 1+this. null: clip_range.")
    .meta({ unit: "1", source: "PPO: clip_range; DAPO (arXiv:2503.14476): 0.28" }),
  dual_clip: z.number().gt(1).nullable().default(null)
    .describe("Dual-clip bound c of the loss where the advantage is negative.")
    .meta({
      unit: "1",
      source: "PPO: off; verl: 3 (arXiv:1912.09729)",
      details: "The loss is at most c·|A|.",
    }),
  clip_range_value: z.number().positive().nullable().default(0.2)
    .describe("Clip range of the value loss, around the old value.")
    .meta({ unit: "scaled reward", source: "TRL: 0.2" }),
  loss_aggregation: z.enum(AGGREGATIONS).default("token_mean")
    .describe("Policy loss: mean over tokens, or mean of responses' means or sums.")
    .meta({ source: "TRL, OpenRLHF and verl: token mean; GRPO: sequence mean" }),
  entropy_coef: z.number().min(0).default(0)
    .describe("Coefficient of the entropy bonus.")
    .meta({ unit: "1", source: "InstructGPT: 0" }),
  demo_mix: z.number().min(0).default(0)
    .describe("Coefficient of the supervised loss on demonstrations (input tokens).")
    .meta({
      unit: "1",
      source: "PPO: off; PPO-ptx (arXiv:2203.02155): 27.8, with advantages that are not whitened",
      details: "Each update takes as many demonstrations as a minibatch has rollouts.",
    }),
} as const;
