/** What is watched and what ends a round early: parameters of `ppo-update`. @module */
import { z } from "zod";

/** Fields of the schema; null switches off. */
export const GUARD_PARAMS = {
  old_logprobs: z.enum(["recomputed", "sampled"]).default("recomputed")
    .describe(
      "What ratios are taken to: log-probabilities of the policy by the training graph, or the sampler's own, which saves a " +
        "pass and is right where the two agree.",
    )
    .meta({ source: "verl and OpenRLHF recompute; their samplers run other kernels" }),
  max_logprob_gap: z.number().positive().nullable().default(0.01)
    .describe("Largest mean |p − p_sampler| of sampled tokens; beyond it the round is an error. null: any.")
    .meta({ unit: "1", source: "verl: below 0.005 is normal, above 0.01 a fault" }),
  tis_cap: z.number().positive().nullable().default(null)
    .describe(
      "Truncated importance sampling: a token's loss is multiplied by p/p_sampler, at most this. For rollouts that are " +
        "deliberately off: quantised, stale. null: not.",
    )
    .meta({ unit: "1", source: "null; OpenRLHF and verl take 2, TRL 3" }),
  target_kl: z.number().positive().nullable().default(null)
    .describe(
      "The policy's updates of a round end before a minibatch whose approx_kl exceeds this; the critic goes on. null: never.",
    )
    .meta({ unit: "nats per token", source: "null; Spinning Up takes 1.5 times 0.01" }),
  max_skipped_updates: z.int().min(0).default(2)
    .describe(
      "Updates of a round that may be skipped as a loss or gradient is not finite; one more is an error.",
    )
    .meta({ unit: "updates", source: "ours: one bad row is forgiven, a broken model is not" }),
  warn_length_factor: z.number().gt(1).nullable().default(1.5)
    .describe(
      "Warn when the reward rises and length has grown or shrunk by this factor since the first round. null: never.",
    )
    .meta({ unit: "1", source: "ours: half as long again" }),
  warn_repetition: z.number().positive().nullable().default(0.1)
    .describe(
      "Warn when the reward rises and repetition has risen by this since the first round. null: never.",
    )
    .meta({ unit: "1", source: "ours: a tenth of all 4-grams" }),
  warn_kl_per_token: z.number().positive().nullable().default(0.2)
    .describe("Warn when the reward rises and the KL to SFT per token exceeds this. null: never.")
    .meta({ unit: "nats per token", source: "ours: two thirds of kl_stop_per_token" }),
} as const;
