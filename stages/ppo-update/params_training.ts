/** Updates, optimizer and guards: parameters of `ppo-update`. @module */
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
  lr: z.number().min(0).default(1e-6)
    .describe("Learning rate of the policy.")
    .meta({ unit: "1", source: "OpenRLHF: 1e-6" }),
  critic_lr: z.number().min(0).default(9e-6)
    .describe("Learning rate of the critic.")
    .meta({ unit: "1", source: "OpenRLHF: 9e-6" }),
  critic_warmup_iterations: z.int().min(0).default(2)
    .describe("First iterations, in which only the critic is trained.")
    .meta({ unit: "iterations", source: "ours, after CSIL (arXiv:2305.16498), which pretrains its critic" }),
  lr_warmup_iterations: z.int().min(0).default(5)
    .describe("Warm-up of the policy's learning rate, after the critic's warm-up.")
    .meta({ unit: "iterations", source: "ours: the quickstart" }),
  lr_schedule: z.enum(SCHEDULES).default("constant")
    .describe("Learning-rate schedule over schedule_iterations; linear and cosine end at 0.")
    .meta({ source: "ours: needs no number of iterations; TRL and arXiv:2403.17031: linear" }),
  schedule_iterations: z.int().positive().nullable().default(null)
    .describe("Length of the learning-rate schedule; required unless constant.")
    .meta({ unit: "iterations", source: "none: it depends on the loop" }),
  ema_decay: z.number().gt(0).lt(1).nullable().default(null)
    .describe("Decay of a moving average of the policy (output ema).")
    .meta({
      unit: "1",
      source: "PPO: off; OpenRLHF: 0.992",
      details: "Per update of the policy. null: no average.",
    }),
  max_grad_norm: z.number().positive().default(1)
    .describe("Gradient clipping norm, for policy and critic each.")
    .meta({ unit: "1", source: "OpenRLHF and verl: 1" }),
  beta1: z.number().min(0).lt(1).default(0.9).describe("AdamW β₁.")
    .meta({ unit: "1", source: "arXiv:1711.05101" }),
  beta2: z.number().min(0).lt(1).default(0.95).describe("AdamW β₂.")
    .meta({ unit: "1", source: "InstructGPT and OpenRLHF: 0.95" }),
  eps: z.number().positive().default(1e-8).describe("AdamW ε, added after the square root.")
    .meta({ unit: "1", source: "PyTorch: 1e-8; Huang et al. 2022: 1e-5" }),
  weight_decay: z.number().min(0).default(0).describe("Decoupled weight decay, on matrices only.")
    .meta({ unit: "1", source: "OpenRLHF: 0" }),
  micro_batch_tokens: z.int().positive().max(100_000_000).default(1024)
    .describe("Tokens per forward and backward pass, padding included.")
    .meta({ unit: "tokens", source: "measured: larger passes exceed the cache and are slower on CPUs" }),
  temperature: z.number().positive().default(1)
    .describe("Sampling temperature of the rollouts.")
    .meta({
      unit: "1",
      source: "rollout's default",
      details:
        "Must be rollout's: ratios are those of the tempered distribution; KL is measured at temperature 1.",
    }),
  old_logprobs: z.enum(["recomputed", "sampled"]).default("recomputed")
    .describe("Old log-probabilities: recomputed with the training graph, or the sampler's own.")
    .meta({
      source: "verl and OpenRLHF, whose samplers use other kernels",
      details: "sampled saves a forward pass and is right where sampler and training agree.",
    }),
  max_logprob_gap: z.number().positive().nullable().default(0.01)
    .describe("Maximum mean |p−p_sampler| of sampled tokens; more is an error.")
    .meta({ unit: "1", source: "verl: below 0.005 is normal, above 0.01 is an error" }),
  tis_cap: z.number().positive().nullable().default(null)
    .describe("Cap of truncated importance weights p/p_sampler on the policy loss.")
    .meta({
      unit: "1",
      source: "PPO: off; OpenRLHF and verl: 2, TRL: 3",
      details: "For rollouts that are off-policy on purpose: quantised, stale. null: no weights.",
    }),
  target_kl: z.number().positive().nullable().default(null)
    .describe("Early stop of the policy's updates when approx_kl exceeds this.")
    .meta({
      unit: "nats per token",
      source: "TRL: off; Spinning Up: 1.5 times 0.01",
      details: "Ends the policy's updates of this iteration; the critic is trained on.",
    }),
  max_skipped_updates: z.int().min(0).default(2)
    .describe("Maximum updates skipped per iteration for a non-finite loss or gradient.")
    .meta({ unit: "updates", source: "ours: tolerates one bad row, not a broken model" }),
  warn_length_factor: z.number().gt(1).nullable().default(1.5)
    .describe("Warn when the response length changes by this factor.")
    .meta({
      unit: "1",
      source: "ours: 50 % longer",
      details: "Compared with the first iteration, and only while the reward rises. null: never.",
    }),
  warn_repetition: z.number().positive().nullable().default(0.1)
    .describe("Warn when repetition rises by this.")
    .meta({
      unit: "1",
      source: "ours: a tenth of all 4-grams",
      details: "Compared with the first iteration, and only while the reward rises. null: never.",
    }),
  warn_kl_per_token: z.number().positive().nullable().default(0.2)
    .describe("Warn when the KL to SFT per token exceeds this.")
    .meta({
      unit: "nats per token",
      source: "ours: two thirds of kl_stop_per_token",
      details: "Only while the reward rises. null: never.",
    }),
  kept_samples: z.int().min(0).max(100_000).default(4)
    .describe("Responses written to samples as text.")
    .meta({
      unit: "responses",
      source: "ours",
      details: "In addition to the responses that a warning names.",
    }),
} as const;
