/** PPO's losses as head programs: the arithmetic is lib/rl's, weights per token make the sums means. @module */
import { add, mul, reduceSum, reshape, type Value } from "@/lib/autodiff/mod.ts";
import type { PolicyClip } from "@/lib/rl/policy_clip.ts";
import type { KlEstimator } from "@/lib/rl/kl.ts";
import { type PolicyObjectiveOptions, policyObjectivePerToken } from "@/lib/rl/policy_objective.ts";
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
  /** a KL penalty in the loss; left out: none */
  readonly kl?: KlTerm;
  /** whether tokens have importance weights */
  readonly importance?: boolean;
}

/** The KL penalty of a loss; its coefficient is the program's scalar `scaledBeta`. */
export interface KlTerm {
  readonly estimator: KlEstimator;
  /** 1 or 2: the term is the mean over them */
  readonly references: 1 | 2;
  /** a token's log-ratio is clipped to ± this, nats */
  readonly logRatioBound: number;
}

/**
 * Σ weight · (importance · clipped loss − coefficient · entropy + scaledBeta · KL).
 * Tokens: id, oldLogprob, advantage, weight; importance, ref0 and ref1 where the options ask for them → logprob, entropy, and kl.
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

/** log p(id) in nats under the sampler's temperature, and at temperature 1. Tokens: id → logprob, untempered. */
export function ownLogprobsProgram(temperature: number): HeadProgram {
  return {
    key: `own_logprobs/${temperature}`,
    tokens: { id: "i64" },
    scalars: [],
    trace({ projected, tokens }) {
      const { logprobs } = tokenLogprobs(projected, tokens.id!, temperature);
      const untempered = temperature === 1 ? logprobs : tokenLogprobs(projected, tokens.id!).logprobs;
      return { tokens: { logprob: logprobs, untempered } };
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
