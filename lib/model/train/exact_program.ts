/** The head program of exact sampling: log-probabilities as training computes them, and their distribution. @module */
import { exp, tokenLogprob } from "@/lib/compute/autodiff/mod.ts";
import { tempered } from "@/lib/model/rl/token_logprobs.ts";
import type { HeadProgram } from "./head_program.ts";
import { temperedLogprobsProgram } from "./ppo_programs.ts";

/**
 * Computes log p(id) in nats at the sampling temperature and at temperature 1, and p of every token at the former.
 * Tokens: id → logprob, logprobT1 [n], probabilities [n,V].
 */
export function exactProgram(temperature: number): HeadProgram {
  const logprobs = temperedLogprobsProgram(temperature);
  return {
    ...logprobs,
    key: `exact/${temperature}`,
    trace(inputs) {
      const { projected, tokens } = inputs;
      const probabilities = exp(tokenLogprob(tempered(projected, temperature), tokens.id!).all);
      return { tokens: { ...logprobs.trace(inputs).tokens, probabilities } };
    },
  };
}
