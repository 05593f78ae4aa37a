/**
 * Parameters of `build-reward`. In: flags or the manifest's `with` (a number that may be null is `null` in both). Out:
 * checked values with defaults.
 * @module
 */
import { z } from "zod";
import { CHECKER_DETAILS } from "@/lib/evals/checker_params.ts";
import { CHECKER_RULE, isCheckerName } from "@/lib/evals/load_checker.ts";
import { COMBINATIONS } from "@/lib/rl/bagged_reward.ts";
import { LENGTH_NORMS } from "@/lib/rl/length_norm.ts";

/** Strict schema of the stage's parameters; the empty text stands for "not set". */
export const params = z.strictObject({
  combine: z.enum([...COMBINATIONS, "soup"]).default("mean")
    .describe(
      "How the members' log-probabilities of a token become one: their mean, the least, or mean minus deviation. soup: one " +
        "model with the mean of the members' weights takes their place.",
    )
    .meta({ source: "mean: bagging (Breiman 1996), as in fixtures/quickstart, reference B" }),
  floor: z.number().nullable().default(null)
    .describe(
      "Tokens to which the base gives no more than this log-probability earn nothing. null: no floor.",
    )
    .meta({ unit: "nats", source: "null: the paper's reward (arXiv:2510.21090); the quickstart takes -4" }),
  floor_both: z.number().nullable().default(null)
    .describe(
      "Tokens to which base and combined members both give no more than this log-probability earn nothing. null: no such floor.",
    )
    .meta({ unit: "nats", source: "null: the paper's reward (arXiv:2510.21090)" }),
  token_cap: z.number().nonnegative().nullable().default(null)
    .describe(
      "Bound of the magnitude of what a token earns; at the end token only where eos_bound is null. null: none.",
    )
    .meta({
      unit: "nats",
      source: "null: the paper's reward (arXiv:2510.21090); the quickstart takes 1",
    }),
  eos_bound: z.number().nonnegative().nullable().default(null)
    .describe("Bound of the magnitude of what the end token earns. null: none.")
    .meta({ unit: "nats", source: "null: the paper's reward (arXiv:2510.21090); the quickstart takes 10" }),
  length_norm: z.enum(LENGTH_NORMS).default("none")
    .describe(
      "What the reward of a response is divided by: nothing, its length, or the root of its length. target: by its length in " +
        "units of the mean length of the SFT model's answers, where it is longer than that.",
    )
    .meta({ source: "none: the paper's reward is a sum" }),
  calibration_prompts: z.int().positive().default(64)
    .describe("Prompts, drawn from `prompts`, that the SFT model and the base answer for the calibration.")
    .meta({
      unit: "prompts",
      source: "128 answers each put the error of a mean at a tenth of the spread",
    }),
  samples_per_prompt: z.int().positive().default(2)
    .describe("Answers of each of the two models to each of these prompts.")
    .meta({ unit: "1", source: "as calibration_prompts" }),
  max_new_tokens: z.int().positive().default(256)
    .describe("Longest answer, its end included.")
    .meta({ unit: "tokens", source: "DeepSpeed-Chat: 256, as in rollouts" }),
  batch_size: z.int().positive().default(128)
    .describe("Answers that are generated side by side. Does not change any byte of the result.")
    .meta({ unit: "sequences", source: "memory of the key/value cache" }),
  checker: z.string().refine(isCheckerName, CHECKER_RULE).default("")
    .describe(
      "Scores the SFT model's answers for the preflight: words, exact, contains, regex, or the path of a module that exports " +
        "`check`. Empty: no preflight.",
    )
    .meta({ source: "none: only the user knows" }),
  ...CHECKER_DETAILS,
  preflight_prompts: z.int().positive().default(256)
    .describe("Prompts of the preflight, the first of `eval_prompts` (else of `prompts`).")
    .meta({ unit: "prompts", source: "the quickstart's preflight: 256" }),
  preflight_samples: z.int().min(2).default(8)
    .describe("Answers to each of these prompts, of which the reward picks the best.")
    .meta({ unit: "1", source: "the quickstart's preflight: best of 8" }),
  reward_checkpoint: z.enum(["given", "auto"]).default("given")
    .describe(
      "auto: if one of the `checkpoints` alone picks better answers in the preflight than the members do, it takes their place.",
    )
    .meta({ source: "given: the members are the reward; auto needs a checker" }),
  export_onnx: z.boolean().default(false)
    .describe("Adds reward.onnx: token ids to the reward of each token, all models in one file.")
    .meta({ source: "off: it holds the weights once more" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
