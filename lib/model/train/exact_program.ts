/** The head program of exact sampling: log-probabilities as training computes them, and their distribution. @module */
import { drawTokens, exp, reshape, toF32, tokenLogprob } from "@/lib/compute/autodiff/mod.ts";
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

/**
 * The same on a device, where the token is drawn too, so that the probabilities need not cross.
 * Tokens: id, u in [0, 1) → logprob, logprobT1, drawn: the token that u draws [n].
 */
export function exactDrawProgram(temperature: number): HeadProgram {
  const exact = exactProgram(temperature);
  return {
    ...exact,
    key: `exact_draw/${temperature}`,
    tokens: { ...exact.tokens, u: "f32" },
    trace(inputs) {
      const { probabilities, ...logprobs } = exact.trace(inputs).tokens, { u } = inputs.tokens;
      const drawn = drawTokens(probabilities!, reshape(u!, [u!.shape[0]!, 1]));
      return { tokens: { ...logprobs, drawn: reshape(toF32(drawn), u!.shape) } };
    },
  };
}
