/** The head program of exact sampling: log-probabilities as training computes them, and their distribution. @module */
import { exp, tokenLogprob } from "@/lib/autodiff/mod.ts";
import { tempered } from "@/lib/rl/token_logprobs.ts";
import type { HeadProgram } from "./head_program.ts";
import { ownLogprobsProgram } from "./ppo_programs.ts";

/**
 * Computes log p(id) in nats at the sampling temperature and at temperature 1, and p of every token at the former.
 * Tokens: id → logprob, untempered [n], probabilities [n,V].
 */
export function exactProgram(temperature: number): HeadProgram {
  const own = ownLogprobsProgram(temperature);
  return {
    ...own,
    key: `exact/${temperature}`,
    trace(inputs) {
      const { projected, tokens } = inputs;
      const probabilities = exp(tokenLogprob(tempered(projected, temperature), tokens.id!).all);
      return { tokens: { ...own.trace(inputs).tokens, probabilities } };
    },
  };
}
