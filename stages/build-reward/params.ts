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

/** Strict schema of the stage's parameters; the empty string means "not set". */
export const params = z.strictObject({
  combine: z.enum([...COMBINATIONS, "soup"]).default("mean")
    .describe("How the members' log-probabilities of a token are combined.")
    .meta({
      source: "mean: bagging (Breiman 1996), as in fixtures/quickstart, reference B",
      details:
        "mean, min, or lcb (mean minus standard deviation). soup: the members are replaced by one model with the mean of " +
        "their weights.",
    }),
  floor: z.number().nullable().default(null)
    .describe("Reward 0 for tokens with log π_base ≤ floor; null: no floor.")
    .meta({
      unit: "nats",
      source: "null: the paper's reward (arXiv:2510.21090); -4 in the quickstart",
      details: "Does not apply to EOS.",
    }),
  floor_both: z.number().nullable().default(null)
    .describe("Reward 0 if log π_base and target are ≤ floor_both; null: off.")
    .meta({
      unit: "nats",
      source: "null: the paper's reward (arXiv:2510.21090)",
      details: "target: the members' combined log-probability. Does not apply to EOS.",
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
  length_norm: z.enum(LENGTH_NORMS).default("none")
    .describe("Length normalisation of a response's reward.")
    .meta({
      source: "none: the paper's reward is a sum",
      details:
        "mean: divided by the length R. sqrt: divided by √R. target: multiplied by min(1, L/R), L the mean length of the " +
        "SFT model's responses in the calibration.",
    }),
  calibration_prompts: z.int().positive().max(10_000_000).default(64)
    .describe("Prompts of the calibration, drawn from the input prompts.")
    .meta({
      unit: "prompts",
      source: "128 responses: the standard error is a tenth of the standard deviation",
    }),
  samples_per_prompt: z.int().positive().max(10_000).default(2)
    .describe("Responses per model and prompt in the calibration.")
    .meta({ unit: "1", source: "as calibration_prompts" }),
  max_new_tokens: z.int().positive().max(10_000_000).default(256)
    .describe("Maximum response length, EOS included.")
    .meta({ unit: "tokens", source: "DeepSpeed-Chat: 256, as in rollouts" }),
  batch_size: z.int().positive().max(1_000_000).default(128)
    .describe("Responses generated at the same time; does not change the result.")
    .meta({ unit: "sequences", source: "memory of the key/value cache" }),
  checker: z.string().refine(isCheckerName, CHECKER_RULE).default("")
    .describe("Checker of the preflight: words, exact, contains, regex, or a module.")
    .meta({ source: "none: no preflight", details: "A module exports a function `check`." }),
  ...CHECKER_DETAILS,
  preflight_prompts: z.int().positive().max(10_000_000).default(256)
    .describe("Prompts of the preflight: the first of eval_prompts.")
    .meta({ unit: "prompts", source: "the quickstart's preflight: 256" }),
  preflight_samples: z.int().min(2).max(10_000).default(8)
    .describe("Responses per prompt in the preflight.")
    .meta({ unit: "1", source: "the quickstart's preflight: best of 8" }),
  reward_checkpoint: z.enum(["given", "auto"]).default("given")
    .describe("Models of the reward: the members, or the best SFT checkpoint.")
    .meta({
      source: "given: the members; auto requires a checker",
      details:
        "auto: one of the checkpoints replaces the members if its reward ranks responses better in the preflight.",
    }),
  export_onnx: z.boolean().default(false)
    .describe("Also write reward.onnx: token ids to token rewards.")
    .meta({ source: "off: it contains all weights a second time" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
