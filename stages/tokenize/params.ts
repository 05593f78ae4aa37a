/**
 * Parameters of `tokenize`. In: flags or the manifest's `with`. Out: checked values with defaults.
 * @module
 */
import { z } from "zod";
import { LAYOUTS } from "@/lib/demonstrations/layouts.ts";
import { CHECKER_DETAILS } from "@/lib/evals/checker_params.ts";
import { CHECKER_RULE, isCheckerName } from "@/lib/evals/load_checker.ts";

/** Strict schema of the stage's parameters; 0 and the empty text stand for "not set". */
export const params = z.strictObject({
  layout: z.enum(["auto", ...LAYOUTS]).default("auto")
    .describe("Shape of the rows of users' files. auto: what their columns show.")
    .meta({ source: "docs/data.md lists the layouts and how they are told apart" }),
  prompt_field: z.string().default("")
    .describe("Field that holds the prompt, or the messages. Empty: the layout's own.")
    .meta({ source: "docs/data.md" }),
  response_field: z.string().default("")
    .describe("Field that holds the response. Empty: the layout's own.")
    .meta({ source: "docs/data.md" }),
  weights: z.array(z.number().gt(0)).default([])
    .describe(
      "How often the rows of each path of `demonstrations` are repeated; 0.5 takes every other. Empty: once.",
    )
    .meta({ unit: "1", source: "a mix as it comes" }),
  chat_template: z.string().min(1).default("auto")
    .describe(
      "How conversations become text: auto (the model's chat template if it has one, else plain), model, none (plain text), " +
        "chatml, llama3, mistral, zephyr, plain, or the path of a .jinja file.",
    )
    .meta({ source: "the model's own is what it was trained on" }),
  template_date: z.iso.date().default("2024-07-26")
    .describe("The date that chat templates are told by strftime_now.")
    .meta({ source: "Llama 3.1's template says 26 Jul 2024; a clock would give other bytes every day" }),
  id_field: z.string().min(1).default("id")
    .describe("Field that names a row. Rows without it are named after their line.")
    .meta({ source: "the quickstart's files" }),
  max_length: z.int().min(0).default(0)
    .describe("Longest demonstration, prompt, response and end together. 0: the model's context.")
    .meta({ unit: "tokens", source: "max_position_embeddings of the model's config.json" }),
  max_prompt_length: z.int().min(0).default(0)
    .describe("Longest prompt of `prompts` and `eval_prompts`. 0: max_length less one token for an answer.")
    .meta({ unit: "tokens", source: "the least that an answer needs" }),
  truncation: z.enum(["error", "drop", "left", "right"]).default("error")
    .describe(
      "What becomes of a row that is too long: an error that lists all of them; left out; cut on the left of its prompt " +
        "(after BOS); or cut at the end of its response, which then has no end token. Prompts are never cut on the right.",
    )
    .meta({ source: "nothing is lost unasked" }),
  boundary: z.enum(["error", "split"]).default("error")
    .describe(
      "What becomes of a demonstration whose prompt and response share a token: an error that lists all of them, or the " +
        "response encoded by itself.",
    )
    .meta({
      source: "a policy is asked after the prompt's own tokens, so such a row teaches what never occurs",
    }),
  validation_fraction: z.number().min(0).lt(1).nullable().default(0)
    .describe(
      "Share of the prompts whose demonstrations are held back for validation, by a hash of prompt and seed. null: 0.05 " +
        "and at least one prompt where no eval_prompts are given, else 0.",
    )
    .meta({ unit: "1", source: "0: nothing is held back unasked" }),
  draw: z.int().min(0).default(0)
    .describe(
      "How many of the demonstrations to learn are drawn, by the seed; there must be as many. Of one seed, a smaller draw " +
        "is part of a larger one. 0: all are learned.",
    )
    .meta({ unit: "rows", source: "0 = all; other trainers call it max_samples and take the first" }),
  response_pattern: z.string().refine(isPattern, "must be a regular expression").default("")
    .describe(
      "Regular expression for `rollouts`: an answer whose text begins with a match ends behind it, whether or not it " +
        "ended by itself; the others are left out. Empty: answers as they are, if they ended.",
    )
    .meta({ source: "none: only a base model, which never ends by itself, needs it" }),
  select: z.enum(["score", "reward", "best", "all"]).default("score")
    .describe(
      "Which rows of `rollouts` become demonstrations: by a checker's score; the best share by reward; the best of every " +
        "prompt by reward (both of scored rollouts); or all that ended.",
    )
    .meta({ source: "rejection sampling by hindsight, as the quickstart's demonstrations were made" }),
  checker: z.string().refine(isCheckerName, CHECKER_RULE).default("")
    .describe(
      "Checker for select=score: words, exact, contains, regex, or the path of a module that exports `check`.",
    )
    .meta({ source: "none: only the user knows" }),
  ...CHECKER_DETAILS,
  score_threshold: z.number().default(1)
    .describe("Least score of a row that is selected by score.")
    .meta({ unit: "1", source: "checkers score from 0 to 1; 1 = all that was asked for" }),
  reward_fraction: z.number().gt(0).max(1).default(0.25)
    .describe("Share of the rows that ended, best reward first, that is selected by reward.")
    .meta({ unit: "1", source: "RAFT (arXiv:2304.06767) keeps between 1/8 and 1/4 of its samples" }),
  pairs: z.enum(["none", "best_worst", "spin"]).default("none")
    .describe(
      "Pairs to be made of `rollouts` for sft's dpo and spin: best_worst, the answer of highest reward to a prompt against " +
        "that of lowest (scored rollouts); spin, a demonstration against the answer to its prompt, which is then no " +
        "demonstration itself.",
    )
    .meta({ source: "DPO (arXiv:2305.18290); SPIN (arXiv:2401.01335)" }),
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
