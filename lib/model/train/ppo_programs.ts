/** PPO's losses as head programs. The arithmetic is in lib/model/rl; weights per token make the sums means. @module */
import { add, mul, reduceSum, reshape, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { PolicyClip } from "@/lib/model/rl/policy_clip.ts";
import type { KlEstimator } from "@/lib/model/rl/kl.ts";
import { type PolicyObjectiveOptions, policyObjectivePerToken } from "@/lib/model/rl/policy_objective.ts";
import { logprobsAndEntropy } from "@/lib/model/rl/token_logprobs.ts";
import { valueLossPerToken } from "@/lib/model/rl/value_loss.ts";
import type { HeadProgram } from "./head_program.ts";

/** What the policy's loss consists of. */
export interface PolicyProgramOptions {
  readonly clip: PolicyClip;
  /** the sampling temperature */
  readonly temperature: number;
  /** of the entropy bonus: loss −= entropyCoefficient · entropy */
  readonly entropyCoefficient: number;
  /** a KL penalty in the loss; left out: none */
  readonly kl?: KlTerm;
  /** whether tokens have importance weights */
  readonly importance?: boolean;
}

/** A KL term of the loss; its coefficient is the program's scalar `scaledBeta`. */
export interface KlTerm {
  readonly estimator: KlEstimator;
  /** 1 or 2: the term is the mean over them */
  readonly references: 1 | 2;
  /** a token's log-ratio is clipped to ± this, nats */
  readonly logRatioBound: number;
}

/**
 * Σ weight · (importance · clipped loss − entropyCoefficient · entropy + scaledBeta · KL).
 * Tokens: id, oldLogprob, advantage, weight; importance, ref0 and ref1 as the options require → logprob, entropy, and kl.
 */
export function policyProgram(options: PolicyProgramOptions): HeadProgram {
  const { kl, importance = false } = options;
  const references = ["ref0", "ref1"].slice(0, kl?.references ?? 0);
  const names = ["oldLogprob", "advantage", "weight", ...(importance ? ["importance"] : []), ...references];
  return {
    key: `policy/${JSON.stringify(options)}`,
    tokens: { id: "i64", ...Object.fromEntries(names.map((name) => [name, "f32" as const])) },
    scalars: kl ? ["scaledBeta"] : [],
    trace({ projected, tokens, scalars }) {
      const inputs = {
        logits: projected,
        ids: tokens.id!,
        oldLogprobs: tokens.oldLogprob!,
        advantages: tokens.advantage!,
        ...(importance ? { importance: tokens.importance! } : {}),
        refLogprobs: references.map((name) => tokens[name]!),
      };
      const objective = policyObjectivePerToken(inputs, objectiveOptions(options, scalars.scaledBeta));
      const { loss, logprobs, entropy } = objective;
      return {
        loss: reduceSum(mul(tokens.weight!, loss)),
        tokens: { logprob: logprobs, entropy, ...(objective.kl ? { kl: objective.kl } : {}) },
      };
    },
  };
}

function objectiveOptions(
  { clip, temperature, entropyCoefficient, kl }: PolicyProgramOptions,
  scaledBeta: Value | undefined,
): PolicyObjectiveOptions {
  const shared = { ...clip, temperature, entropyCoefficient };
  if (!kl || !scaledBeta) return shared;
  return {
    ...shared,
    beta: scaledBeta,
    klEstimator: kl.estimator,
    klBounds: { logRatio: kl.logRatioBound, estimate: Infinity },
  };
}

/** log p(id) in nats at the sampling temperature, and at temperature 1. Tokens: id → logprob, logprobT1. */
export function temperedLogprobsProgram(temperature: number): HeadProgram {
  return {
    key: `tempered_logprobs/${temperature}`,
    tokens: { id: "i64" },
    scalars: [],
    trace({ projected, tokens }) {
      const { logprobs } = logprobsAndEntropy(projected, tokens.id!, temperature);
      const logprobT1 = temperature === 1 ? logprobs : logprobsAndEntropy(projected, tokens.id!).logprobs;
      return { tokens: { logprob: logprobs, logprobT1 } };
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

/**
 * The sum of {@linkcode policyProgram} and {@linkcode valueProgram} on the two heads of one network. Tokens: those of both, where the weights of the
 * value loss are `valueWeight` → the outputs of both.
 */
export function twoHeadProgram(options: PolicyProgramOptions, clipRange: number | null): HeadProgram {
  const policy = policyProgram(options), value = valueProgram(clipRange);
  const { weight: _, ...tokensOfValue } = value.tokens;
  return {
    key: `${policy.key}+${value.key}`,
    tokens: { ...policy.tokens, ...tokensOfValue, valueWeight: "f32" },
    scalars: policy.scalars,
    output: "both",
    trace({ projected, values, tokens, scalars }) {
      const ofPolicy = policy.trace({ projected, tokens, scalars });
      const ofValue = value.trace({
        projected: values!,
        tokens: { ...tokens, weight: tokens.valueWeight! },
        scalars,
      });
      return {
        loss: add(ofPolicy.loss!, ofValue.loss!),
        tokens: { ...ofPolicy.tokens, ...ofValue.tokens },
      };
    },
  };
}
