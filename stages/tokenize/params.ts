/** Parameters of `tokenize`. @module */
import { z } from "zod";
import { LAYOUTS } from "@/lib/data/demonstrations/layouts.ts";
import { CHECKER_DETAILS } from "@/lib/model/evals/checker_params.ts";
import { CHECKER_RULE, isCheckerName } from "@/lib/model/evals/load_checker.ts";

/** Strict schema of the stage's parameters; 0 and the empty text mean "not set". */
export const params = z.strictObject({
  layout: z.enum(["auto", ...LAYOUTS]).default("auto")
    .describe("Layout of the rows of users' files. auto: recognised by the columns.")
    .meta({ source: "docs/data.md" }),
  prompt_field: z.string().default("")
    .describe("Field of the prompt or the messages. Empty: the layout's field.")
    .meta({ source: "docs/data.md" }),
  response_field: z.string().default("")
    .describe("Field of the response. Empty: the layout's field.")
    .meta({ source: "docs/data.md" }),
  weights: z.array(z.number().gt(0).max(10_000)).default([])
    .describe("How often the rows of each demonstrations path are repeated. Empty: once.")
    .meta({
      unit: "1",
      source: "no mixing",
      details: "0.5 uses every second row; 2.5 uses all rows twice, then half of them.",
    }),
  chat_template: z.string().min(1).default("auto")
    .describe("Chat template: auto, model, none, a built-in name or a .jinja path.")
    .meta({
      source: "the model's own template is the one it was trained with",
      details:
        "auto: the model's template if it has one, else plain text. model: the model's template, which is required. " +
        "none: plain text. Built-in names: chatml, llama3, mistral, zephyr, plain.",
    }),
  template_date: z.iso.date().default("2024-07-26")
    .describe("Date that strftime_now returns in chat templates.")
    .meta({ source: "date in Llama 3.1's template; the current date would change the output every day" }),
  id_field: z.string().min(1).default("id")
    .describe("Field of the row's id. Rows without it are numbered.")
    .meta({ source: "the quickstart's files" }),
  max_length: z.int().min(0).max(100_000_000).default(0)
    .describe("Maximum length of prompt and response together. 0: the model's context length.")
    .meta({ unit: "tokens", source: "max_position_embeddings in config.json" }),
  max_prompt_length: z.int().min(0).max(100_000_000).default(0)
    .describe("Maximum length of rows in prompts and eval_prompts. 0: max_length − 1.")
    .meta({ unit: "tokens", source: "leaves at least one token for the response" }),
  truncation: z.enum(["error", "drop", "left", "right"]).default("error")
    .describe("Rows that are too long: error, drop, or truncate left or right.")
    .meta({
      source: "no data is lost unless requested",
      details:
        "error: list all of them. drop: leave them out. left: truncate the prompt on the left, after BOS. right: " +
        "truncate the response, which then has no end token; prompts are dropped instead.",
    }),
  boundary: z.enum(["error", "split"]).default("error")
    .describe("If a token spans prompt and response: error, or encode them separately.")
    .meta({
      source: "the policy generates after the prompt's own tokens, so it never sees such a token",
      details: "error: list all such demonstrations. split: encode the response separately from the prompt.",
    }),
  validation_fraction: z.number().min(0).lt(1).nullable().default(0)
    .describe("Fraction of prompts held out for validation. null: automatic.")
    .meta({
      unit: "1",
      source: "nothing is held out unless requested",
      details:
        "The split depends on a hash of prompt and seed; all demonstrations of a prompt are on the same side. null: 0 " +
        "with eval_prompts, else 0.05 and at least one prompt.",
    }),
  draw: z.int().min(0).max(100_000_000).default(0)
    .describe("Number of training demonstrations, drawn at random by seed. 0: all.")
    .meta({
      unit: "rows",
      source: "max_samples of other trainers, which use the first rows",
      details:
        "There must be at least as many demonstrations. With the same seed, a smaller draw is part of a larger one.",
    }),
  response_pattern: z.string().refine(isPattern, "must be a regular expression").default("")
    .describe("Regular expression that truncates responses of rollouts. Empty: none.")
    .meta({
      source: "for base models, which do not end responses by themselves",
      details:
        "A response whose text begins with a match is truncated after it and counts as ended; others are left out.",
    }),
  select: z.enum(["score", "reward", "best", "all"]).default("score")
    .describe("Selection of rollouts: score, reward, best, or all that ended.")
    .meta({
      source: "rejection sampling, as for the quickstart's demonstrations",
      details:
        "score: those with at least score_threshold from the checker. reward: the reward_fraction with the highest " +
        "reward. best: the response with the highest reward to every prompt. reward and best require scored rollouts.",
    }),
  checker: z.string().refine(isCheckerName, CHECKER_RULE).default("")
    .describe("Checker for select=score: words, exact, contains, regex or a module path.")
    .meta({ source: "none: depends on the task", details: "A module must export `check`." }),
  ...CHECKER_DETAILS,
  score_threshold: z.number().default(1)
    .describe("Minimum score of a response for select=score.")
    .meta({ unit: "1", source: "scores are from 0 to 1; 1 = everything required" }),
  reward_fraction: z.number().gt(0).max(1).default(0.25)
    .describe("Fraction of the ended responses, highest reward first, for select=reward.")
    .meta({ unit: "1", source: "RAFT (arXiv:2304.06767) keeps between 1/8 and 1/4 of its samples" }),
  pairs: z.enum(["none", "best_worst", "spin"]).default("none")
    .describe("Preference pairs from rollouts for sft: none, best_worst or spin.")
    .meta({
      source: "DPO (arXiv:2305.18290); SPIN (arXiv:2401.01335)",
      details:
        "best_worst: the response with the highest reward to a prompt and the one with the lowest (scored rollouts). " +
        "spin: a demonstration and the response to its prompt, which is then not used as a demonstration.",
    }),
});

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, "u").unicode;
  } catch {
    return false;
  }
}

/** Checked parameters. */
export type Params = z.output<typeof params>;
