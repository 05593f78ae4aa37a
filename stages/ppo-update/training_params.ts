/** Parameters of `ppo-update` that say how networks are trained and what is reported. @module */
import { z } from "zod";
import { SCHEDULES } from "@/lib/model/train/schedule.ts";

/** Fields of the schema; null switches off. */
export const TRAINING_PARAMS = {
  epochs: z.int().positive().max(1_000_000).default(4)
    .describe("Epochs over the rollouts of an iteration.")
    .meta({ unit: "1", source: "arXiv:2403.17031: 4" }),
  minibatch_size: z.int().positive().max(1_000_000).default(32)
    .describe("Rollouts per update; the last minibatch may be smaller.")
    .meta({ unit: "rollouts", source: "PPO-max (arXiv:2307.04964): 32" }),
  lr: z.union([z.number().min(0), z.literal("auto")]).default(1e-6)
    .describe("Learning rate of the policy; auto: lr_ratio times that of lr_of.")
    .meta({ unit: "1", source: "OpenRLHF: 1e-6" }),
  lr_ratio: z.number().positive().default(0.15)
    .describe("Policy's learning rate divided by that of lr_of, with lr=auto.")
    .meta({
      unit: "1",
      source: "as in the quickstart; defaults of OpenRLHF: 1e-6 to 5e-6, TRL's GRPO: 1e-6 to 2e-5",
    }),
  critic_lr: z.union([z.number().min(0), z.literal("auto")]).default(9e-6)
    .describe("Learning rate of the critic; auto: critic_lr_ratio times that of lr_of.")
    .meta({ unit: "1", source: "OpenRLHF: 9e-6" }),
  critic_lr_ratio: z.number().positive().default(1)
    .describe("Critic's learning rate divided by that of lr_of, with critic_lr=auto.")
    .meta({ unit: "1", source: "as in the quickstart; defaults of OpenRLHF: 9e-6 to 5e-6" }),
  critic_warmup_iterations: z.int().min(0).default(2)
    .describe("Number of first iterations in which only the critic is trained.")
    .meta({ unit: "iterations", source: "ours; CSIL (arXiv:2305.16498) also trains its critic first" }),
  lr_warmup_iterations: z.int().min(0).default(5)
    .describe("Linear learning-rate warmup of the policy, after the critic warmup.")
    .meta({ unit: "iterations", source: "ours: as in the quickstart" }),
  lr_schedule: z.enum(SCHEDULES).default("constant")
    .describe("Learning-rate schedule over schedule_iterations; linear and cosine end at 0.")
    .meta({ source: "ours: the number of iterations need not be known; TRL and arXiv:2403.17031: linear" }),
  schedule_iterations: z.int().positive().nullable().default(null)
    .describe("Length of the learning-rate schedule; required unless lr_schedule=constant.")
    .meta({ unit: "iterations", source: "none: depends on the number of PPO iterations" }),
  ema_decay: z.number().gt(0).lt(1).nullable().default(null)
    .describe("EMA decay of the policy weights (output ema); null: no EMA.")
    .meta({
      unit: "1",
      source: "PPO: off; OpenRLHF: 0.992",
      details: "The average is updated after each update of the policy.",
    }),
  max_grad_norm: z.number().positive().default(1)
    .describe("Maximum gradient norm (clipping), for policy and critic separately.")
    .meta({ unit: "1", source: "OpenRLHF and verl: 1" }),
  beta1: z.number().min(0).lt(1).default(0.9).describe("AdamW β₁.")
    .meta({ unit: "1", source: "arXiv:1711.05101" }),
  beta2: z.number().min(0).lt(1).default(0.95).describe("AdamW β₂.")
    .meta({ unit: "1", source: "InstructGPT and OpenRLHF: 0.95" }),
  eps: z.number().positive().default(1e-8).describe("AdamW ε, added after the square root.")
    .meta({ unit: "1", source: "PyTorch: 1e-8; Huang et al. 2022: 1e-5" }),
  weight_decay: z.number().min(0).default(0).describe(
    "AdamW weight decay, applied to weight matrices only (not norms, biases).",
  )
    .meta({ unit: "1", source: "OpenRLHF: 0" }),
  micro_batch_tokens: z.int().positive().max(100_000_000).default(1024)
    .describe("Maximum tokens per forward and backward pass, padding included.")
    .meta({ unit: "tokens", source: "ours: larger passes exceed the CPU cache and are slower" }),
  temperature: z.number().positive().default(1)
    .describe("Sampling temperature of the rollouts.")
    .meta({
      unit: "1",
      source: "as in rollout",
      details:
        "Must equal temperature of rollout and score: PPO ratios and the KL use log-probabilities at this temperature.",
    }),
  old_logprobs: z.enum(["recomputed", "sampled"]).default("recomputed")
    .describe("Old log-probabilities: recomputed with the training graph, or the sampler's own.")
    .meta({
      source: "verl and OpenRLHF: recomputed",
      details:
        "sampled saves one forward pass. Use it if sampler and training graph give the same probabilities (exact of rollout).",
    }),
  max_logprob_gap: z.number().positive().nullable().default(0.01)
    .describe("Error if mean |p−p_sampler| over sampled tokens exceeds this; null: off.")
    .meta({
      unit: "1",
      source: "verl: below 0.005 is normal, above 0.01 is an error",
      details:
        "p: recomputed probability of a sampled token; p_sampler: the one that the rollouts contain (logprobs).",
    }),
  tis_cap: z.number().positive().nullable().default(null)
    .describe("Cap of truncated importance-sampling weights p/p_sampler; null: no importance sampling.")
    .meta({
      unit: "1",
      source: "PPO: off; OpenRLHF and verl: 2, TRL: 3",
      details:
        "The weights multiply each token's policy loss. For rollouts from another policy, such as a quantised or an older one.",
    }),
  target_kl: z.number().positive().nullable().default(null)
    .describe("Early stopping: skip further policy updates when approx_kl exceeds this; null: off.")
    .meta({
      unit: "nats per token",
      source: "TRL: off; Spinning Up: 1.5 times 0.01",
      details: "Applies to the rest of the iteration; the critic is still updated.",
    }),
  max_skipped_updates: z.int().min(0).default(2)
    .describe("Maximum updates skipped per iteration for a non-finite loss or gradient.")
    .meta({ unit: "updates", source: "ours: tolerates one bad row, not a broken model" }),
  warn_length_factor: z.number().gt(1).nullable().default(1.5)
    .describe("Warn if the mean response length changes by this factor; null: never.")
    .meta({
      unit: "1",
      source: "ours: 50 % longer",
      details: "Compared with the first iteration; only if the reward is significantly higher than then.",
    }),
  warn_repetition: z.number().positive().nullable().default(0.1)
    .describe("Warn if the share of repeated 4-grams rises by this; null: never.")
    .meta({
      unit: "1",
      source: "ours: a tenth of all 4-grams",
      details: "Compared with the first iteration; only if the reward is significantly higher than then.",
    }),
  warn_kl_per_token: z.number().positive().nullable().default(0.2)
    .describe("Warn if the KL to SFT per token exceeds this; null: never.")
    .meta({
      unit: "nats per token",
      source: "ours: two thirds of kl_stop_per_token",
      details: "Only if the reward is significantly higher than in the first iteration.",
    }),
  kept_samples: z.int().min(0).max(100_000).default(4)
    .describe("Number of responses in the output samples.")
    .meta({
      unit: "responses",
      source: "ours",
      details: "The first responses of the iteration; those that a warning names are added.",
    }),
} as const;
