/** The head program of exact answers: log-probabilities as training has them, and the distribution that they belong to. @module */
import { exp, tokenLogprob } from "@/lib/autodiff/mod.ts";
import { tempered } from "@/lib/rl/token_logprobs.ts";
import type { HeadProgram } from "./head_program.ts";
import { ownLogprobsProgram } from "./ppo_programs.ts";

/**
 * log p(id) in nats under the sampler's temperature and at temperature 1, and p of every token under the former.
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
