/** Parameters of `ppo-update`. @module */
import { z } from "zod";

/** Strict schema of the stage's parameters; null switches off. */
export const params = z.strictObject({
  epochs: z.int().positive().default(4)
    .describe("Passes over the rollouts of a round.")
    .meta({ unit: "1", source: "N implementation details (arXiv:2403.17031): 4" }),
  minibatch_size: z.int().positive().default(32)
    .describe("Rollouts per update; the last minibatch of a pass may hold fewer.")
    .meta({ unit: "rollouts", source: "PPO-max (arXiv:2307.04964): 32" }),
  lr: z.number().min(0).default(1e-6)
    .describe("Learning rate of the policy.")
    .meta({ unit: "1", source: "OpenRLHF: 1e-6" }),
  critic_lr: z.number().min(0).default(9e-6)
    .describe("Learning rate of the critic.")
    .meta({ unit: "1", source: "OpenRLHF: 9e-6" }),
  beta: z.number().min(0).default(0.05)
    .describe("Weight of the KL penalty, in units of the raw reward.")
    .meta({ unit: "nats of reward per nat", source: "TRL and arXiv:2403.17031: 0.05" }),
  kl_reference: z.enum(["sft", "base", "both"]).default("sft")
    .describe("Which model the KL penalty holds the policy to; both: half to each.")
    .meta({ source: "InstructGPT (arXiv:2203.02155): the SFT model" }),
  kl_stop: z.number().positive().nullable().default(null)
    .describe("Stop when the rollouts' mean KL to SFT exceeds this.")
    .meta({ unit: "nats per response", source: "none: depends on the length; see kl_stop_per_token" }),
  kl_stop_per_token: z.number().positive().nullable().default(0.3)
    .describe("Stop when the rollouts' mean KL to SFT per token exceeds this.")
    .meta({
      unit: "nats per token",
      source: "best models of arXiv:2403.17031 lie below 50 nats per response of 53 tokens; a third of it",
    }),
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
  entropy_coef: z.number().min(0).default(0)
    .describe("Weight of the entropy bonus.")
    .meta({ unit: "1", source: "InstructGPT: 0" }),
  gamma: z.number().gt(0).max(1).default(1)
    .describe("Discount per token.").meta({ unit: "1", source: "InstructGPT: 1" }),
  lambda: z.number().min(0).max(1).default(0.95)
    .describe("λ of generalised advantage estimation.").meta({ unit: "1", source: "arXiv:2403.17031: 0.95" }),
  whiten_advantages: z.boolean().default(true)
    .describe("Whether advantages get mean 0 and variance 1 over the tokens of a round.")
    .meta({ source: "arXiv:2403.17031" }),
  normalise_reward: z.boolean().default(true)
    .describe("Whether the first round's rewards fix a centre and a scale for all rewards.")
    .meta({ source: "Ziegler et al. 2019 (arXiv:1909.08593)" }),
  residual_critic: z.boolean().default(true)
    .describe("Whether a value is the reward that the response has earned so far plus the critic's output.")
    .meta({ source: "ours: same objective, less variance; needs gamma 1 to be exact" }),
  reward_clip: z.number().positive().nullable().default(null)
    .describe("Bound of the scaled reward. null: none.")
    .meta({ unit: "scaled reward", source: "null; PPO-max and OpenRLHF take 10" }),
  critic_warmup_rounds: z.int().min(0).default(2)
    .describe("First rounds in which the critic learns and the policy does not move.")
    .meta({ unit: "rounds", source: "CSIL (arXiv:2305.16498) pretrains its critic" }),
  lr_warmup_rounds: z.int().min(0).default(5)
    .describe("Rounds after those in which the policy's learning rate rises to lr.")
    .meta({ unit: "rounds", source: "the quickstart" }),
  max_grad_norm: z.number().positive().default(1)
    .describe("Gradients of policy and critic are scaled down to this global norm, each on its own.")
    .meta({ unit: "1", source: "OpenRLHF and verl: 1" }),
  beta1: z.number().min(0).lt(1).default(0.9).describe("AdamW's decay of the first moment.")
    .meta({ unit: "1", source: "arXiv:1711.05101" }),
  beta2: z.number().min(0).lt(1).default(0.95).describe("AdamW's decay of the second moment.")
    .meta({ unit: "1", source: "InstructGPT and OpenRLHF: 0.95" }),
  eps: z.number().positive().default(1e-8).describe("AdamW's ε, added after the root.")
    .meta({ unit: "1", source: "PyTorch; the 37 details take 1e-5" }),
  weight_decay: z.number().min(0).default(0).describe("Decoupled decay, on matrices.")
    .meta({ unit: "1", source: "OpenRLHF: 0" }),
  temperature: z.number().positive().default(1)
    .describe("The sampler's temperature: ratios are taken under it.").meta({
      unit: "1",
      source: "rollout's default",
    }),
  kept_samples: z.int().min(0).default(4)
    .describe("Rollouts that are written to samples for a person to read.").meta({
      unit: "rollouts",
      source: "enough to see",
    }),
  micro_batch_tokens: z.int().positive().default(1024)
    .describe("Tokens, padding included, that go through a model at a time.")
    .meta({ unit: "tokens", source: "measured: larger pieces leave the cache and are slower on CPUs" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
