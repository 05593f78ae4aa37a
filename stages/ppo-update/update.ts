/**
 * The updates of a round: epochs over shuffled minibatches, critic first, each network with its own optimizer.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import type { ParameterVector } from "@/lib/models/parameters.ts";
import { permutation } from "@/lib/random/shuffle.ts";
import { makeKey } from "@/lib/random/uniform.ts";
import { logprobGap } from "@/lib/rl/importance_sampling.ts";
import { responseSequence } from "@/lib/reward/reward_model.ts";
import { criticStep, type StepResult } from "./critic_step.ts";
import { updateEma } from "./ema.ts";
import { MeanFigures } from "./mean_figures.ts";
import type { Learner, Minibatch } from "./minibatch.ts";
import { checkGap } from "./own_logprobs.ts";
import type { Params } from "./params.ts";
import { type PolicyRound, policyStep } from "./policy_step.ts";
import { SkippedUpdates } from "./skips.ts";

/** Who learns. */
export interface Learners {
  readonly policy: Learner;
  /** absent where the estimator needs none */
  readonly critic: Learner | undefined;
  /** the average that follows the policy; absent without ema_decay */
  readonly ema: ParameterVector | undefined;
}

/** What is the round's own. */
export interface RoundSettings {
  readonly params: Params;
  readonly seed: number;
  readonly iteration: number;
  readonly criticLr: number;
  /** false leaves the policy alone */
  readonly moves: boolean;
  /** called before every minibatch; may throw to stop */
  readonly beforeUpdate: (
    done: number,
    total: number,
    figures: Readonly<Record<string, number>>,
  ) => Promise<void>;
}

/**
 * Makes the updates and gives the means of their figures, each taken before its update.
 * @throws {DataError} if more updates than allowed had figures that are not finite
 */
export async function updateRound(
  round: PolicyRound,
  learners: Learners,
  settings: RoundSettings,
): Promise<Record<string, number>> {
  const { params, moves } = settings, { policy, critic, ema } = learners;
  const means = new MeanFigures(),
    skipped = new SkippedUpdates(params.max_skipped_updates, settings.iteration);
  const before = policy.optimizer.step, total = params.epochs * minibatchesPerEpoch(round, params);
  let first: Record<string, number> = {}, policyLearns = moves;
  const take = (network: "policy" | "critic", minibatch: Minibatch, result: StepResult) => {
    if ("skip" in result) skipped.add(network, minibatch, result.skip);
    else means.add(result.figures);
    return !("skip" in result);
  };
  for (const minibatch of minibatches(round, settings)) {
    await settings.beforeUpdate(minibatch.number - 1, total, means.values());
    if (critic && round.advantages.critic) {
      take(
        "critic",
        minibatch,
        criticStep(minibatch, round.advantages.critic, critic, settings.criticLr, params),
      );
    }
    if (!policyLearns) continue;
    const result = policyStep(minibatch, round, policy, params);
    if (result.stop) policyLearns = false;
    if (result.stop || !take("policy", minibatch, result)) continue;
    if (result.logprobs) first = firstFigures(round.rows, minibatch, result.logprobs, params);
    if (ema) updateEma(ema, policy.network.parameters, params.ema_decay!);
  }
  const { ratio_deviation: _, ...figures } = means.values();
  return {
    ...figures,
    ...first,
    skipped_updates: skipped.count,
    ...(moves
      ? { policy_updates_made: policy.optimizer.step - before, early_stopped: policyLearns ? 0 : 1 }
      : {}),
  };
}

const minibatchesPerEpoch = ({ advantages }: PolicyRound, { minibatch_size }: Params) =>
  Math.ceil(advantages.learned.length / minibatch_size);

/** The minibatches of all epochs: every epoch each rollout that is learned from once, in another order. */
function* minibatches(
  { rows, advantages }: PolicyRound,
  { params, seed, iteration }: RoundSettings,
): Generator<Minibatch> {
  const { learned } = advantages, size = params.minibatch_size, sequences = rows.map(responseSequence);
  let number = 0;
  for (let epoch = 0; epoch < params.epochs; epoch++) {
    const order = permutation(learned.length, makeKey(seed, "minibatches", iteration, epoch));
    for (let start = 0; start < learned.length; start += size) {
      const members = Array.from(order.subarray(start, start + size), (k) => learned[k]!);
      yield {
        number: ++number,
        members,
        sequences: members.map((i) => sequences[i]!),
        ids: members.map((i) => rows[i]!.id),
      };
    }
  }
}

/**
 * What the first minibatch tells before anything has moved: how far its ratios are from 1.
 * @throws {DataError} if the sampler is too far from the policy
 */
function firstFigures(
  rows: readonly ScoredRow[],
  { members, ids }: Minibatch,
  logprobs: readonly Float32Array[],
  params: Params,
): Record<string, number> {
  const old = members.map((i) => rows[i]!.logprobs);
  let deviation = 0;
  logprobs.forEach((row, b) =>
    row.forEach((x, t) => deviation = Math.max(deviation, Math.abs(Math.exp(x - old[b]![t]!) - 1)))
  );
  if (params.old_logprobs === "recomputed") return { first_ratio_deviation: deviation };
  const gap = logprobGap(logprobs, old);
  checkGap(gap, ids.map((id) => ({ id })), params);
  return {
    first_ratio_deviation: deviation,
    logprob_gap: gap.meanProbability,
    logprob_gap_max: gap.maxProbability,
  };
}
