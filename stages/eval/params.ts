/**
 * Parameters of `eval`. In: flags or the manifest's `with`. Out: checked values with defaults.
 * @module
 */
import { z } from "zod";
import { CHECKER_DETAILS } from "@/lib/evals/checker_params.ts";
import { CHECKER_RULE, isCheckerName } from "@/lib/evals/load_checker.ts";

/** Strict schema of the stage's parameters; the empty text stands for "not set". */
export const params = z.strictObject({
  modes: z.array(z.enum(["greedy", "sampled"])).min(1).default(["greedy", "sampled"])
    .describe("How answers are decoded: the most probable token each time, or drawn.")
    .meta({ source: "the quickstart's metric: both" }),
  temperature: z.number().positive().default(1)
    .describe("Divides the logits in sampled mode.")
    .meta({ unit: "1", source: "1: the model itself is sampled" }),
  top_k: z.int().min(0).default(0)
    .describe("Only the k most probable tokens in sampled mode. 0: all.")
    .meta({ unit: "tokens", source: "0: the model itself is sampled" }),
  top_p: z.number().gt(0).max(1).default(1)
    .describe("Only the most probable tokens that together reach this probability in sampled mode.")
    .meta({ unit: "1", source: "1: the model itself is sampled" }),
  max_new_tokens: z.int().positive().default(256)
    .describe("Longest answer, its end included.")
    .meta({ unit: "tokens", source: "DeepSpeed-Chat: 256, as in rollouts" }),
  stop: z.array(z.string().min(1)).default([])
    .describe(
      "Texts that end an answer, as an end token does, but without one: the answer keeps the text. As in rollouts.",
    )
    .meta({ source: "none: a model trained on demonstrations ends by itself" }),
  batch_size: z.int().positive().default(128)
    .describe("Answers that are generated side by side. Does not change any byte of the result.")
    .meta({ unit: "sequences", source: "memory of the key/value cache" }),
  samples_per_prompt: z.int().positive().default(1)
    .describe("Answers to each prompt in sampled mode; greedy decoding has one.")
    .meta({ unit: "1", source: "the quickstart's metric: one" }),
  checker: z.string().refine(isCheckerName, CHECKER_RULE).default("")
    .describe(
      "Scores answers: words, exact, contains, regex, or the path of a module that exports `check`. Empty: none.",
    )
    .meta({ source: "none: only the user knows" }),
  ...CHECKER_DETAILS,
  checker_optional: z.boolean().default(false)
    .describe(
      "Goes without the checker where no prompt has the field that it looks at. Otherwise, and where some have it and some " +
        "have not, that is an error.",
    )
    .meta({ source: "false: a score that was asked for does not go missing in silence" }),
  kept_samples: z.int().min(0).default(8)
    .describe(
      "Prompts, from the first on, whose answers are kept as text. 0: all, which lets a report pair differences.",
    )
    .meta({ unit: "prompts", source: "what a person reads" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
