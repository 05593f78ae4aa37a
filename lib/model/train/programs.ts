/** Head programs without reinforcement learning: scoring, supervised loss, and a critic's values. @module */
import { mul, neg, reduceSum, reshape, tokenLogprob } from "@/lib/compute/autodiff/mod.ts";
import type { HeadProgram } from "./head_program.ts";

/** log p(id) in nats under softmax(logits). */
export const LOGPROBS: HeadProgram = {
  key: "logprobs",
  tokens: { id: "i64" },
  scalars: [],
  trace: ({ projected, tokens }) => ({ tokens: { logprob: tokenLogprob(projected, tokens.id!).selected } }),
};

/** −Σ weight · log p(id): weights 1 / (number of supervised tokens of the optimizer step) make it their mean. */
export const SUPERVISED: HeadProgram = {
  key: "supervised",
  tokens: { id: "i64", weight: "f32" },
  scalars: [],
  trace({ projected, tokens }) {
    const logprob = tokenLogprob(projected, tokens.id!).selected;
    return { loss: neg(reduceSum(mul(tokens.weight!, logprob))), tokens: { logprob } };
  },
};

/** A critic's value at each position. */
export const VALUES: HeadProgram = {
  key: "values",
  tokens: {},
  scalars: [],
  trace: ({ projected }) => ({ tokens: { value: reshape(projected, [projected.shape[0]!]) } }),
};
