/** What holds the policy back: parameters of `ppo-update`. @module */
import { z } from "zod";
import { KL_PLACEMENTS } from "@/lib/rl/kl_placement.ts";

/** Fields of the schema; null switches off. */
export const KL_PARAMS = {
  beta: z.number().min(0).default(0.05)
    .describe("Weight of the KL penalty, in units of the raw reward; with kl_target its first value.")
    .meta({ unit: "nats of reward per nat", source: "TRL and arXiv:2403.17031: 0.05" }),
  kl_reference: z.enum(["sft", "base", "both"]).default("sft")
    .describe("Which model the KL penalty holds the policy to; both: half to each.")
    .meta({ source: "InstructGPT (arXiv:2203.02155): the SFT model" }),
  kl_placement: z.enum(KL_PLACEMENTS).default("reward")
    .describe("Where the penalty stands: in the reward of every token, or in the policy's loss.")
    .meta({ source: "InstructGPT: in the reward; GRPO (arXiv:2402.03300): in the loss" }),
  kl_estimator: z.enum(["k1", "k2", "k3"]).nullable().default(null)
    .describe(
      "Estimator of the penalty: k1 in the reward, k2 or k3 in the loss; others are refused, as their gradient is not the " +
        "KL's there. null: k1 or k2.",
    )
    .meta({ source: "Schulman 2020, Approximating KL divergence; arXiv:2506.09477" }),
  kl_clip: z.number().positive().nullable().default(null)
    .describe("Bound of a token's log-ratio in the penalty. null: none in the reward, 20 in the loss.")
    .meta({ unit: "nats", source: "null; verl takes 20, OpenRLHF 10" }),
  kl_target: z.number().positive().nullable().default(null)
    .describe("KL to kl_reference that beta adapts to hold, round by round. null: beta is fixed.")
    .meta({ unit: "nats per response", source: "null as in TRL; Ziegler et al. 2019 take 6" }),
  kl_horizon: z.number().positive().default(10000)
    .describe("Responses over which beta may change by a factor of about e^0.2.")
    .meta({ unit: "responses", source: "Ziegler et al. 2019: 10000" }),
  fluency_budget: z.number().min(0).nullable().default(null)
    .describe(
      "How much the base's NLL of the answers may rise over the first round's; beyond it beta grows. null: any.",
    )
    .meta({ unit: "nats per token", source: "ours: null; a rise of 0.05 is hardly seen in the text" }),
  fluency_growth: z.number().gt(1).default(1.2)
    .describe(
      "What beta is multiplied by in each round beyond the fluency budget, and divided by again within it.",
    )
    .meta({ unit: "1", source: "ours: doubles in four rounds" }),
  kl_stop: z.number().positive().nullable().default(null)
    .describe("Stop when the rollouts' mean KL to SFT exceeds this.")
    .meta({ unit: "nats per response", source: "none: depends on the length; see kl_stop_per_token" }),
  kl_stop_per_token: z.number().positive().nullable().default(0.3)
    .describe("Stop when the rollouts' mean KL to SFT per token exceeds this.")
    .meta({
      unit: "nats per token",
      source: "best models of arXiv:2403.17031 lie below 50 nats per response of 53 tokens; a third of it",
    }),
} as const;
