/** What PPO is paid: parameters of `ppo-update`. @module */
import { z } from "zod";
import { MISSING_EOS, PLACEMENTS } from "@/lib/rl/ppo_rewards.ts";

/** Fields of the schema; null switches off. */
export const REWARD_PARAMS = {
  normalise_reward: z.boolean().default(true)
    .describe("Whether rewards are centred and scaled, by the first round or by all rounds (reward_scaling).")
    .meta({ source: "Ziegler et al. 2019 (arXiv:1909.08593)" }),
  reward_scaling: z.enum(["first_iteration", "running"]).default("first_iteration")
    .describe(
      "Which rewards give centre and scale: the first round's, for good, or those of all rounds so far.",
    )
    .meta({ source: "Ziegler et al. 2019: once; PPO-max (arXiv:2307.04964): running" }),
  centre_reward: z.boolean().default(true)
    .describe("Whether the centre is subtracted; else rewards are scaled alone.")
    .meta({ source: "Ziegler et al. 2019; PPO-max and the 37 details do not centre" }),
  reward_clip: z.number().positive().nullable().default(null)
    .describe("Bound of the scaled reward. null: none.")
    .meta({ unit: "scaled reward", source: "null; PPO-max and OpenRLHF take 10" }),
  missing_eos: z.enum(MISSING_EOS).default("score")
    .describe(
      "What becomes of a response that the length limit cut: paid for what it has, paid missing_eos_value, or mask: " +
        "learned from by neither network.",
    )
    .meta({
      source: "TRL's default: no penalty; missing_eos_penalty and mask_truncated_completions are the others",
    }),
  missing_eos_value: z.number().default(-1)
    .describe("What missing_eos: penalty pays in place of the reward.")
    .meta({ unit: "scaled reward", source: "the N details and arXiv:2403.17031: −1, not the score minus 1" }),
  placement: z.enum(PLACEMENTS).default("eos")
    .describe("Where the reward is paid: at the last token, or dense: token by token as it falls.")
    .meta({ source: "arXiv:2510.21090: at the end" }),
  whiten_rewards: z.boolean().default(false)
    .describe(
      "Whether rewards per token, KL penalty included, get variance 1 over a round; their mean stays.",
    )
    .meta({ source: "TRL: false" }),
} as const;
