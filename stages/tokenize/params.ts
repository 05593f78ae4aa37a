/** Parameters of `tokenize`. @module */
import { z } from "zod";
import { LAYOUTS } from "@/lib/data/demonstrations/layouts.ts";
import { CHECKER_DETAILS } from "@/lib/model/evals/checker_params.ts";
import { CHECKER_RULE, isCheckerName } from "@/lib/model/evals/load_checker.ts";

/** Strict schema of the stage's parameters; 0 and the empty text mean "not set". */
export const params = z.strictObject({
  layout: z.enum(["auto", ...LAYOUTS]).default("auto")
    .describe("Layout of the input files; auto: detected from their columns.")
    .meta({ source: "docs/data.md" }),
  prompt_field: z.string().default("")
    .describe("Field with the prompt or messages; empty: the layout's default.")
    .meta({ source: "docs/data.md" }),
  response_field: z.string().default("")
    .describe("Field with the response; empty: the layout's default.")
    .meta({ source: "docs/data.md" }),
  weights: z.array(z.number().gt(0).max(10_000)).default([])
    .describe("Repetitions of the rows of each demonstrations path; empty: once each.")
    .meta({
      unit: "1",
      source: "ours: every row once",
      details: "0.5 uses every second row; 2.5 uses all rows twice, then half of them.",
    }),
  chat_template: z.string().min(1).default("auto")
    .describe("Chat template: auto, model, none, a built-in name or a .jinja path.")
    .meta({
      source: "transformers and TRL: the model's template",
      details:
        "auto: the model's template if it has one, else plain text. model: the model's template, which is required. " +
        "none: plain text. Built-in names: chatml, llama3, mistral, zephyr, plain.",
    }),
  template_date: z.iso.date().default("2024-07-26")
    .describe("Date that strftime_now returns in chat templates.")
    .meta({ source: "Llama 3.1's template; with the current date the output would change every day" }),
  id_field: z.string().min(1).default("id")
    .describe("Field with the row's id; rows without it are numbered.")
    .meta({ source: "ours" }),
  max_length: z.int().min(0).max(100_000_000).default(0)
    .describe("Maximum length of prompt and response together; 0: the model's context length.")
    .meta({ unit: "tokens", source: "max_position_embeddings in config.json" }),
  max_prompt_length: z.int().min(0).max(100_000_000).default(0)
    .describe("Maximum length of rows in prompts and eval_prompts; 0: max_length − 1.")
    .meta({ unit: "tokens", source: "ours: leaves at least one token for the response" }),
  truncation: z.enum(["error", "drop", "left", "right"]).default("error")
    .describe("Rows that are too long: error, drop, or truncate left or right.")
    .meta({
      source: "ours: no data is lost unless requested",
      details:
        "error: fail and list all of these rows. drop: leave them out. left: truncate the prompt on the left, after BOS. " +
        "right: truncate the response, which then has no end token; a prompt that is too long is dropped.",
    }),
  boundary: z.enum(["error", "split"]).default("error")
    .describe("If a token spans prompt and response: error, or split (encode separately).")
    .meta({
      source: "ours: generation never produces such a token, as it starts after the prompt's tokens",
      details:
        "error: fail and list all such demonstrations. split: encode the response separately from the prompt.",
    }),
  validation_fraction: z.number().min(0).lt(1).nullable().default(0)
    .describe("Fraction of prompts held out for validation; null: automatic.")
    .meta({
      unit: "1",
      source: "ours: nothing is held out unless requested",
      details:
        "The split depends on a hash of prompt and seed; all demonstrations of a prompt are in the same set. null: 0 " +
        "with eval_prompts, else 0.05 and at least one prompt.",
    }),
  audit_fraction: z.number().min(0).lt(1).default(0)
    .describe("Fraction of demonstrations set aside for an audit of the trained models.")
    .meta({
      unit: "1",
      source: "ours: nothing is set aside unless requested",
      details:
        "The output audit: at least 32 demonstrations, which no other output has. With fewer than 160 demonstrations (after " +
        "validation_fraction and draw) none are set aside, and a warning says so. Which prompts are taken depends on a hash " +
        "of prompt and seed; all demonstrations of a prompt are in the same set.",
    }),
  selection_fraction: z.number().min(0).lt(1).default(0)
    .describe("Fraction of evaluation prompts set aside for decisions inside loops.")
    .meta({
      unit: "1",
      source: "ours: the manifests decide nothing by an evaluation",
      details:
        "The output selection_prompts: prompts on which a loop may select its best iteration or stop. They are in no other " +
        "output, and neither are their held-out demonstrations, so that eval_prompts and validation remain for the result.",
    }),
  draw: z.int().min(0).max(100_000_000).default(0)
    .describe("Number of training demonstrations to draw at random; 0: all.")
    .meta({
      unit: "rows",
      source: "0: all; OpenRLHF's max_samples takes the first rows instead",
      details:
        "May not exceed the number of demonstrations. With the same seed, a smaller draw is a subset of a larger one.",
    }),
  response_pattern: z.string().refine(isPattern, "must be a regular expression").default("")
    .describe("Regular expression after whose match rollout responses are truncated; empty: none.")
    .meta({
      source: "off; useful for base models, which rarely generate EOS",
      details:
        "If the text of a response begins with a match, the response is truncated after the match and counts as ended; other " +
        "responses are left out. JavaScript's syntax with the flag u, in linear time: without lookahead and backreferences.",
    }),
  select: z.enum(["score", "reward", "best", "all"]).default("score")
    .describe("Which rollouts become demonstrations: score, reward, best (per prompt), or all.")
    .meta({
      source: "score: rejection sampling",
      details:
        "Truncated responses are never selected. score: responses with at least score_threshold from the checker. reward: " +
        "the reward_fraction with the highest reward. best: for each prompt, the response with the highest reward. all: " +
        "every response. reward and best require scored rollouts.",
    }),
  checker: z.string().refine(isCheckerName, CHECKER_RULE).default("")
    .describe("Checker (scores responses) for select=score: words, exact, contains, regex, or module path.")
    .meta({
      source: "none: the checker depends on the task",
      details: "A module must export a function `check`.",
    }),
  ...CHECKER_DETAILS,
  score_threshold: z.number().default(1)
    .describe("Minimum score of a response for select=score.")
    .meta({ unit: "1", source: "1: the maximum score" }),
  reward_fraction: z.number().gt(0).max(1).default(0.25)
    .describe("Fraction of responses, those with the highest reward, for select=reward.")
    .meta({ unit: "1", source: "RAFT (arXiv:2304.06767): between 1/8 and 1/4" }),
  pairs: z.enum(["none", "best_worst", "spin"]).default("none")
    .describe("Preference pairs for sft, made of rollouts: none, best_worst or spin.")
    .meta({
      source: "off; DPO (arXiv:2305.18290): best_worst; SPIN (arXiv:2401.01335): spin",
      details:
        "best_worst: chosen is the response with the highest reward to a prompt, rejected the one with the lowest (requires " +
        "scored rollouts). spin: chosen is a demonstration, rejected a rollout of the same prompt; rollouts are then not " +
        "used as demonstrations.",
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
