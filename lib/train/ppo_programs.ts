/** PPO's losses as head programs: the arithmetic is lib/rl's, weights per token make the sums means. @module */
import { add, mul, neg, reduceSum, reshape } from "@/lib/autodiff/mod.ts";
import type { PolicyClip } from "@/lib/rl/policy_clip.ts";
import { policyLossPerToken } from "@/lib/rl/policy_loss.ts";
import { tokenLogprobs } from "@/lib/rl/token_logprobs.ts";
import { valueLossPerToken } from "@/lib/rl/value_loss.ts";
import type { HeadProgram } from "./head_program.ts";

/** What the policy's loss is made of. */
export interface PolicyProgramOptions {
  readonly clip: PolicyClip;
  /** temperature of the sampler */
  readonly temperature: number;
  /** the bonus's coefficient: loss −= coefficient · entropy */
  readonly entropyCoefficient: number;
}

/** Σ weight · (policy loss − coefficient · entropy). Tokens: id, oldLogprob, advantage, weight → logprob, entropy. */
export function policyProgram(options: PolicyProgramOptions): HeadProgram {
  return {
    key: `policy/${JSON.stringify(options)}`,
    tokens: { id: "i64", oldLogprob: "f32", advantage: "f32", weight: "f32" },
    scalars: [],
    trace({ projected, tokens }) {
      const { logprobs, entropy } = tokenLogprobs(projected, tokens.id!, options.temperature);
      const perToken = policyLossPerToken(
        { logprobs, oldLogprobs: tokens.oldLogprob!, advantages: tokens.advantage! },
        options.clip,
      );
      const regularised = options.entropyCoefficient === 0
        ? perToken
        : add(perToken, mul(neg(entropy), options.entropyCoefficient));
      return { loss: reduceSum(mul(tokens.weight!, regularised)), tokens: { logprob: logprobs, entropy } };
    },
  };
}

/**
 * Σ weight · value loss of a residual critic: V = offset + head. Tokens: offset, oldValue, return, weight → value.
 * @param clipRange of the value, in its units; null for none
 */
export function valueProgram(clipRange: number | null): HeadProgram {
  return {
    key: `value/${clipRange}`,
    tokens: { offset: "f32", oldValue: "f32", return: "f32", weight: "f32" },
    scalars: [],
    trace({ projected, tokens }) {
      const values = add(reshape(projected, [projected.shape[0]!]), tokens.offset!);
      const perToken = valueLossPerToken(
        { values, oldValues: tokens.oldValue!, returns: tokens.return! },
        { clipRange },
      );
      return { loss: reduceSum(mul(tokens.weight!, perToken)), tokens: { value: values } };
    },
  };
}
