/** The head program of exact answers: log-probabilities as training has them, and the distribution that they belong to. @module */
import { exp, tokenLogprob } from "@/lib/autodiff/mod.ts";
import { tempered } from "@/lib/rl/token_logprobs.ts";
import type { HeadProgram } from "./head_program.ts";
import { temperedLogprobsProgram } from "./ppo_programs.ts";

/**
 * log p(id) in nats under the sampler's temperature and at temperature 1, and p of every token under the former.
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
