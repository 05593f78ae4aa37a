/** Updates, learning rates and optimizers: parameters of `ppo-update`. @module */
import { z } from "zod";
import { SCHEDULES } from "@/lib/train/schedule.ts";

/** Passes and learning rates; null switches off. */
export const UPDATE_PARAMS = {
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
  critic_warmup_iterations: z.int().min(0).default(2)
    .describe("First rounds in which the critic learns and the policy does not move; none without a critic.")
    .meta({ unit: "rounds", source: "CSIL (arXiv:2305.16498) pretrains its critic" }),
  lr_warmup_iterations: z.int().min(0).default(5)
    .describe("Rounds after those in which the policy's learning rate rises to lr.")
    .meta({ unit: "rounds", source: "the quickstart" }),
  lr_schedule: z.enum(SCHEDULES).default("constant")
    .describe(
      "How both learning rates fall over schedule_iterations: not, to 0 in a line, or in a half cosine.",
    )
    .meta({ source: "constant: rounds need no known number; TRL, the 37 and the N details: linear" }),
  schedule_iterations: z.int().positive().nullable().default(null)
    .describe("Rounds over which lr_schedule falls; must be given unless it is constant.")
    .meta({ unit: "rounds", source: "none: a stage does not know its loop's count" }),
  ema_decay: z.number().gt(0).lt(1).nullable().default(null)
    .describe(
      "Keeps a moving average of the policy's weights, decayed by this at each of its updates, as the output ema. null: none.",
    )
    .meta({ unit: "1", source: "null; OpenRLHF takes 0.992" }),
} as const;

/** AdamW, and how work is cut. */
export const OPTIMIZER_PARAMS = {
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
    .describe(
      "Rollouts that are written to samples for a person to read, beside those that a warning is about.",
    ).meta({
      unit: "rollouts",
      source: "enough to see",
    }),
  micro_batch_tokens: z.int().positive().default(1024)
    .describe("Tokens, padding included, that go through a model at a time.")
    .meta({ unit: "tokens", source: "measured: larger pieces leave the cache and are slower on CPUs" }),
} as const;
