/** Parameters of `rollout`. @module */
import { z } from "zod";

/** Strict schema of the stage's parameters. */
export const params = z.strictObject({
  prompts_per_iteration: z.int().min(0).default(128)
    .describe("Number of prompts per iteration; 0: all.")
    .meta({ unit: "prompts", source: "PPO-max (arXiv:2307.04964): 128" }),
  samples_per_prompt: z.int().positive().max(10_000).default(1)
    .describe("Number of responses per prompt.")
    .meta({ unit: "1", source: "InstructGPT: 1" }),
  max_new_tokens: z.int().positive().max(10_000_000).default(256)
    .describe("Maximum response length, EOS included.")
    .meta({ unit: "tokens", source: "DeepSpeed-Chat: 256" }),
  temperature: z.number().positive().default(1)
    .describe("Sampling temperature: logits are divided by it.")
    .meta({ unit: "1", source: "1: samples from the policy itself" }),
  top_k: z.int().min(0).default(0)
    .describe("Top-k sampling: only the k most probable tokens; 0: off.")
    .meta({ unit: "tokens", source: "0: top-k sampling biases PPO's ratio" }),
  top_p: z.number().gt(0).max(1).default(1)
    .describe("Top-p (nucleus) sampling: cumulative probability to keep; 1: off.")
    .meta({ unit: "1", source: "1: top-p sampling biases PPO's ratio" }),
  stop: z.array(z.string().min(1)).default([])
    .describe("Stop strings: a response ends after the first one.")
    .meta({
      source: "none: a model trained on demonstrations ends with EOS",
      details:
        "The stop string remains in the response. No EOS token is added, so the response has no reward of EOS.",
    }),
  exact: z.boolean().default(false)
    .describe("Sample with the training graph's probabilities instead of the decoding graph's.")
    .meta({
      source: "off: the decoding graph's probabilities differ by only about 1e-6",
      details:
        "With old_logprobs=sampled, PPO's first ratio is then exactly 1. Costs one forward pass of the training graph; requires " +
        "top_k=0 and top_p=1.",
    }),
  batch_size: z.int().positive().max(1_000_000).default(128)
    .describe("Batch size of generation; does not change the result.")
    .meta({ unit: "sequences", source: "ours: limits the memory of the key/value cache" }),
});

/** Checked parameters. */
export type Params = z.output<typeof params>;
