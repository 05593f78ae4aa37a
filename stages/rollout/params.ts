/** Parameters of `rollout`. @module */
import { z } from "zod";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({
  prompts_per_iteration: z.int().min(0).default(128)
    .describe("Prompts per round; 0 takes all of them in every round.")
    .meta({ unit: "prompts", source: "PPO-max (arXiv:2307.04964): 128" }),
  samples_per_prompt: z.int().positive().default(1)
    .describe("Answers to each prompt.")
    .meta({ unit: "1", source: "one, as in InstructGPT" }),
  max_new_tokens: z.int().positive().default(256)
    .describe("Longest answer, its end included.")
    .meta({ unit: "tokens", source: "DeepSpeed-Chat: 256" }),
  temperature: z.number().positive().default(1)
    .describe("Divides the logits.")
    .meta({ unit: "1", source: "1: the policy itself is sampled" }),
  top_k: z.int().min(0).default(0)
    .describe("Only the k most probable tokens. 0: all.")
    .meta({ unit: "tokens", source: "0: restricted sampling biases PPO's ratio" }),
  top_p: z.number().gt(0).max(1).default(1)
    .describe("Only the most probable tokens that together reach this probability.")
    .meta({ unit: "1", source: "1: restricted sampling biases PPO's ratio" }),
  stop: z.array(z.string().min(1)).default([])
    .describe(
      "Texts that end an answer, as an end token does, but without one: the answer keeps the text, and no end is rewarded.",
    )
    .meta({ source: "none: a model trained on demonstrations ends by itself" }),
  exact: z.boolean().default(false)
    .describe(
      "Whether tokens are drawn from the training graph's own probabilities, so that ppo-update with old_logprobs sampled " +
        "begins at a ratio of exactly 1. Costs a pass of that graph; needs top_k 0 and top_p 1.",
    )
    .meta({ source: "off: decoding's own probabilities differ by 1e-6" }),
  batch_size: z.int().positive().default(128)
    .describe("Sequences that are generated side by side. Does not change any byte of the result.")
    .meta({ unit: "sequences", source: "memory of the key/value cache" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
