/** Parameters of `rollout`. @module */
import { z } from "zod";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({
  prompts_per_iteration: z.int().min(0).default(128)
    .describe("Prompts per iteration; 0: all prompts.")
    .meta({ unit: "prompts", source: "PPO-max (arXiv:2307.04964): 128" }),
  samples_per_prompt: z.int().positive().max(10_000).default(1)
    .describe("Responses per prompt.")
    .meta({ unit: "1", source: "one, as in InstructGPT" }),
  max_new_tokens: z.int().positive().max(10_000_000).default(256)
    .describe("Maximum response length, EOS included.")
    .meta({ unit: "tokens", source: "DeepSpeed-Chat: 256" }),
  temperature: z.number().positive().default(1)
    .describe("Sampling temperature: logits are divided by it.")
    .meta({ unit: "1", source: "1: samples from the policy itself" }),
  top_k: z.int().min(0).default(0)
    .describe("Top-k sampling: only the k most probable tokens; 0: off.")
    .meta({ unit: "tokens", source: "0: truncated sampling biases PPO's ratio" }),
  top_p: z.number().gt(0).max(1).default(1)
    .describe("Top-p (nucleus) sampling: cumulative probability to keep; 1: off.")
    .meta({ unit: "1", source: "1: truncated sampling biases PPO's ratio" }),
  stop: z.array(z.string().min(1)).default([])
    .describe("Stop strings: a response ends after the first one.")
    .meta({
      source: "none: a model trained on demonstrations ends with EOS",
      details: "The response keeps the stop string and gets no EOS, so no reward is given for ending.",
    }),
  exact: z.boolean().default(false)
    .describe("Sample from the training graph's probabilities instead of the decoder's.")
    .meta({
      source: "off: the decoder's probabilities differ by 1e-6",
      details:
        "PPO's first ratio is then exactly 1 with old_logprobs=sampled. Costs one pass of the training graph; requires " +
        "top_k=0 and top_p=1.",
    }),
  batch_size: z.int().positive().max(1_000_000).default(128)
    .describe("Responses generated at the same time; does not change the result.")
    .meta({ unit: "sequences", source: "memory of the key/value cache" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
