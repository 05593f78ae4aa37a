/**
 * Parameters of `eval`. In: flags or the manifest's `with`. Out: checked values with defaults.
 * @module
 */
import { z } from "zod";
import { CHECKER_DETAILS } from "@/lib/model/evals/checker_params.ts";
import { CHECKER_RULE, isCheckerName } from "@/lib/model/evals/load_checker.ts";

/** Benchmarks that the stage runs. */
const STAGE_BENCHMARKS = [
  "ifeval",
  "gsm8k",
  "gsm8k_cot_zeroshot",
  "gpqa_main_zeroshot",
  "gpqa_main_cot_zeroshot",
  "own",
] as const;

/** Strict schema of the stage's parameters; the empty string means "not set". */
export const params = z.strictObject({
  modes: z.array(z.enum(["greedy", "sampled"])).min(1).default(["greedy", "sampled"])
    .describe("Decoding modes: greedy, sampled, or both.")
    .meta({ source: "ours" }),
  temperature: z.number().positive().default(1)
    .describe("Sampling temperature in sampled mode.")
    .meta({ unit: "1", source: "1: samples from the model itself" }),
  top_k: z.int().min(0).default(0)
    .describe("Top-k in sampled mode; 0: off.")
    .meta({ unit: "tokens", source: "0: samples from the model itself" }),
  top_p: z.number().gt(0).max(1).default(1)
    .describe("Top-p (nucleus) in sampled mode; 1: off.")
    .meta({ unit: "1", source: "1: samples from the model itself" }),
  max_new_tokens: z.int().positive().max(10_000_000).default(256)
    .describe("Maximum response length, EOS included.")
    .meta({ unit: "tokens", source: "DeepSpeed-Chat: 256, as in rollouts" }),
  stop: z.array(z.string().min(1)).default([])
    .describe("Stop strings: a response ends after the first one.")
    .meta({
      source: "none: a model trained on demonstrations ends with EOS",
      details: "The stop string remains in the response; no EOS token is added, as in rollouts.",
    }),
  batch_size: z.int().positive().max(1_000_000).default(128)
    .describe("Batch size of generation; does not change the result.")
    .meta({ unit: "sequences", source: "ours: limits the memory of the key/value cache" }),
  samples_per_prompt: z.int().positive().max(10_000).default(1)
    .describe("Number of responses per prompt in sampled mode; greedy: one.")
    .meta({ unit: "1", source: "ours" }),
  checker: z.string().refine(isCheckerName, CHECKER_RULE).default("")
    .describe("Checker that scores responses: words, exact, contains, regex, or a module path.")
    .meta({ source: "off", details: "A module must export a function `check`." }),
  ...CHECKER_DETAILS,
  checker_optional: z.boolean().default(false)
    .describe("Skip the checker if no prompt has its field, instead of failing.")
    .meta({
      source: "false: a missing score is an error",
      details: "If only some prompts have the field, that is always an error.",
    }),
  benchmark: z.array(z.enum(STAGE_BENCHMARKS)).default([])
    .describe("Benchmarks to run greedily: ifeval, gsm8k, …, or own for benchmark_rows.")
    .meta({
      source: "none: benchmarks take long",
      details:
        "Prompts, few-shot examples, stops and filters are those of lm-evaluation-harness 0.4.13. GPQA and `own` " +
        "read the input `benchmark_rows`; `mmlu_pro` is run by `deno task evaluate`.",
    }),
  benchmark_limit: z.int().min(0).max(10_000_000).default(0)
    .describe("Number of documents of each benchmark; 0: all.")
    .meta({ unit: "documents", source: "0: results are comparable only over all documents" }),
  benchmark_max_new_tokens: z.int().min(0).max(10_000_000).default(0)
    .describe("Maximum response length in benchmarks; 0: the task's.")
    .meta({ unit: "tokens", source: "0: the task's, as lm-evaluation-harness" }),
  benchmark_template: z.string().default("")
    .describe("Chat template of benchmark prompts; empty: plain text.")
    .meta({
      source: "empty: lm-evaluation-harness applies no template by default",
      details: "`model`, `chatml`, `llama3`, `mistral`, `zephyr` or `plain`.",
    }),
  kept_samples: z.int().min(0).max(100_000).default(8)
    .describe("Number of prompts whose responses are stored as text; 0: all.")
    .meta({
      unit: "prompts",
      source: "ours: few enough to read",
      details:
        "The first prompts are stored. Means and differences are over all prompts, whatever is stored.",
    }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
