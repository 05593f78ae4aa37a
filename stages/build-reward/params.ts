/**
 * Parameters of `build-reward`. In: flags or the manifest's `with` (`null` switches a guard off in both). Out: checked values
 * with defaults.
 * @module
 */
import { z } from "zod";
import { CHECKER_DETAILS } from "@/lib/model/evals/checker_params.ts";
import { CHECKER_RULE, isCheckerName } from "@/lib/model/evals/load_checker.ts";
import { COMBINATIONS } from "@/lib/model/rl/bagged_reward.ts";
import { LENGTH_NORMS } from "@/lib/model/rl/length_norm.ts";
import { FLOOR_PENALTIES } from "@/lib/model/rl/token_rewards.ts";

/** Strict schema of the stage's parameters; the empty string means "not set". */
export const params = z.strictObject({
  combine: z.enum([...COMBINATIONS, "soup"]).default("mean")
    .describe("How the members' log-probabilities of a token are combined.")
    .meta({
      source: "mean: bagging (Breiman 1996)",
      details:
        "mean, min, or lcb (mean minus standard deviation) of the members. soup: one model replaces them, with the mean of " +
        "their weights.",
    }),
  floor: z.number().nullable().default(null)
    .describe("Reward 0 for tokens with log π_base ≤ floor; null: no floor.")
    .meta({
      unit: "nats",
      source: "null: the paper's reward (arXiv:2510.21090); -4 in the quickstart",
      details: "Does not apply to EOS.",
    }),
  floor_penalties: z.enum(FLOOR_PENALTIES).default("drop")
    .describe("Negative rewards of tokens at or below floor: drop or keep.")
    .meta({
      source: "ours: drop",
      details:
        "drop: the reward of such a token is 0. keep: it is min(r, 0), so that the floor removes rewards but not penalties. " +
        "Has no effect without floor.",
    }),
  floor_both: z.number().nullable().default(null)
    .describe("Reward 0 if base and member log-probability both ≤ floor_both; null: off.")
    .meta({
      unit: "nats",
      source: "null: the paper's reward (arXiv:2510.21090)",
      details: "The log-probability of the members is their combined one (combine). Does not apply to EOS.",
    }),
  token_cap: z.number().nonnegative().nullable().default(null)
    .describe("Clips token rewards to ± token_cap; null: no clipping.")
    .meta({
      unit: "nats",
      source: "null: the paper's reward (arXiv:2510.21090); 1 in the quickstart",
      details: "Applies to EOS only if eos_bound is null.",
    }),
  eos_bound: z.number().nonnegative().nullable().default(null)
    .describe("Clips the reward of EOS to ± eos_bound; null: no clipping.")
    .meta({ unit: "nats", source: "null: the paper's reward (arXiv:2510.21090); 10 in the quickstart" }),
  base_weight: z.union([z.number().min(0).max(1), z.literal("auto")]).default(1)
    .describe("Weight w of the ratio; the members have 1 − w.")
    .meta({
      unit: "1",
      source: "1: the paper's reward (arXiv:2510.21090)",
      details:
        "Token reward w·g + (1 − w)·log π_member, with g the ratio log π_member − log π_base after the guards. Without guards " +
        "this is log π_member − w·log π_base. 0: the member alone, so that PPO sharpens SFT. auto: 1 − the share of pairs of SFT " +
        "responses to one prompt that are equal, in the calibration; 1 in open-ended tasks.",
    }),
  length_norm: z.enum(LENGTH_NORMS).default("none")
    .describe("Length normalisation of a response's reward.")
    .meta({
      source: "none: the paper's reward is a sum",
      details:
        "mean: divide by the length R. sqrt: divide by √R. target: multiply by min(1, L/R), with L the mean length of the " +
        "SFT model's responses in the calibration.",
    }),
  calibration_prompts: z.int().positive().max(10_000_000).default(64)
    .describe("Number of prompts to compare SFT and base rewards (calibration).")
    .meta({
      unit: "prompts",
      source: "ours: with 128 responses the standard error is a tenth of the standard deviation",
      details:
        "Calibration draws prompts from the input prompts, samples responses from the SFT model and from the base and checks that the mean reward is higher for " +
        "the SFT model. Requires the inputs sft and prompts.",
    }),
  samples_per_prompt: z.int().positive().max(10_000).default(2)
    .describe("Number of responses per model and prompt in calibration.")
    .meta({ unit: "1", source: "ours: 128 responses with 64 prompts" }),
  max_new_tokens: z.int().positive().max(10_000_000).default(256)
    .describe("Maximum response length, EOS included.")
    .meta({ unit: "tokens", source: "DeepSpeed-Chat: 256, as in rollouts" }),
  batch_size: z.int().positive().max(1_000_000).default(128)
    .describe("Batch size of generation; does not change the result.")
    .meta({ unit: "sequences", source: "ours: limits the memory of the key/value cache" }),
  checker: z.string().refine(isCheckerName, CHECKER_RULE).default("")
    .describe("Checker for the preflight: words, exact, contains, regex, or a module.")
    .meta({ source: "none: no preflight", details: "A module must export a function `check`." }),
  ...CHECKER_DETAILS,
  preflight_prompts: z.int().positive().max(10_000_000).default(256)
    .describe("Number of prompts to compare reward and checker score (preflight).")
    .meta({
      unit: "prompts",
      source: "ours",
      details:
        "The preflight uses the first prompts of eval_prompts, samples responses from the SFT model and checks whether those with the highest reward of their " +
        "prompt also have a higher score by the checker.",
    }),
  preflight_samples: z.int().min(2).default(8)
    .describe("Number of responses per prompt in the preflight.")
    .meta({ unit: "1", source: "ours" }),
  reward_checkpoint: z.enum(["given", "auto"]).default("given")
    .describe("Reward models: the members (given), or the best SFT checkpoint (auto).")
    .meta({
      source: "given: needs no checker",
      details:
        "auto: one of the input checkpoints replaces the members if its reward selects better responses in the preflight.",
    }),
  export_onnx: z.boolean().default(false)
    .describe("Also write reward.onnx, which maps token ids to token rewards.")
    .meta({ source: "off: the file contains all weights a second time" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
