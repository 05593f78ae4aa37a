/**
 * The updates of a round: epochs over shuffled minibatches, critic first, each network with its own optimizer.
 * @module
 */
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { permutation } from "@/lib/random/shuffle.ts";
import { makeKey } from "@/lib/random/uniform.ts";
import type { PolicyClip } from "@/lib/rl/policy_clip.ts";
import { policyStatistics } from "@/lib/rl/policy_statistics.ts";
import { valueStatistics } from "@/lib/rl/value_statistics.ts";
import { responseSequence } from "@/lib/reward/reward_model.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { AdamW } from "@/lib/train/adamw.ts";
import { gatherTokens, microBatches, type Sequence } from "@/lib/train/batching.ts";
import type { Network } from "@/lib/train/network.ts";
import { policyProgram, valueProgram } from "@/lib/train/ppo_programs.ts";
import type { Advantages } from "./advantages.ts";
import type { Params } from "./params.ts";

/** A network and its optimizer. */
export interface Learner {
  readonly network: Network;
  readonly optimizer: AdamW;
}

/** What is the round's own. */
export interface RoundSettings {
  readonly params: Params;
  readonly seed: number;
  readonly iteration: number;
  /** learning rate of the policy in this round; null leaves the policy alone */
  readonly lr: number | null;
  /** called before every minibatch; may throw to stop */
  readonly beforeUpdate: (
    done: number,
    total: number,
    figures: Readonly<Record<string, number>>,
  ) => Promise<void>;
}

/** Sums of a minibatch's figures; divided by the number of minibatches at the end. */
type Sums = Record<string, number>;

/** Makes the updates and gives the means of their figures, each taken before its update. */
export async function updateRound(
  rows: readonly ScoredRow[],
  advantages: Advantages,
  policy: Learner,
  critic: Learner,
  settings: RoundSettings,
): Promise<Record<string, number>> {
  const { params, seed, iteration } = settings;
  const sequences = rows.map(responseSequence);
  const perEpoch = Math.ceil(rows.length / params.minibatch_size), total = params.epochs * perEpoch;
  const sums: Sums = {};
  let done = 0, firstRatioDeviation: number | undefined;
  for (let epoch = 0; epoch < params.epochs; epoch++) {
    const order = permutation(rows.length, makeKey(seed, "minibatches", iteration, epoch));
    for (let start = 0; start < rows.length; start += params.minibatch_size) {
      const members = [...order.subarray(start, start + params.minibatch_size)];
      await settings.beforeUpdate(done, total, means(sums, done));
      const figures = { ...updateCritic(members, sequences, advantages, critic, params) };
      if (settings.lr !== null) {
        const policyFigures = updatePolicy(members, sequences, advantages, policy, params, settings.lr);
        firstRatioDeviation ??= policyFigures.ratio_deviation!;
        Object.assign(figures, policyFigures);
      }
      for (const [name, value] of Object.entries(figures)) {
        if (!Number.isFinite(value)) {
          throw new DataError(
            `Cannot go on training as ${name} must be finite: minibatch ${
              done + 1
            } of round ${iteration} has ${value}`,
          );
        }
        sums[name] = (sums[name] ?? 0) + value;
      }
      done++;
    }
  }
  const { ratio_deviation: _, ...figures } = means(sums, done);
  return firstRatioDeviation === undefined
    ? figures
    : { ...figures, first_ratio_deviation: firstRatioDeviation };
}

function means(sums: Sums, count: number): Record<string, number> {
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / Math.max(1, count)]));
}

/** A minibatch's sequences with the arrays that go with them. */
function pick(members: readonly number[], sequences: readonly Sequence[]) {
  const batch = members.map((i) => sequences[i]!);
  const tokens = batch.reduce((sum, { targets }) => sum + targets.length, 0);
  const of = (perRow: readonly ArrayLike<number>[]) => members.map((i) => perRow[i]!);
  return { batch, weight: 1 / tokens, of };
}

/** Adds numbers one by one: a call with a whole large micro-batch as arguments would overflow the stack. */
function append(to: number[], from: ArrayLike<number>): void {
  for (let i = 0; i < from.length; i++) to.push(from[i]!);
}

function updateCritic(
  members: readonly number[],
  sequences: readonly Sequence[],
  a: Advantages,
  { network, optimizer }: Learner,
  params: Params,
): Record<string, number> {
  const { batch, weight, of } = pick(members, sequences);
  const program = valueProgram(params.clip_range_value);
  const seen = { values: [] as number[], oldValues: [] as number[], returns: [] as number[] };
  for (const micro of microBatches(batch, params.micro_batch_tokens)) {
    const tokens = {
      offset: gatherTokens(micro, of(a.offsets)),
      oldValue: gatherTokens(micro, of(a.values)),
      return: gatherTokens(micro, of(a.returns)),
      weight: new Float32Array(micro.positions.length).fill(weight),
    };
    const result = network.run({
      batch: micro.batch,
      positions: micro.positions,
      program,
      tokens,
      train: true,
    });
    append(seen.values, result.tokens.value!);
    append(seen.oldValues, tokens.oldValue);
    append(seen.returns, tokens.return);
  }
  const { loss, clipFraction } = valueStatistics(seen, { clipRange: params.clip_range_value });
  const norm = optimizer.update(params.critic_lr);
  return { value_loss: loss, value_clip_fraction: clipFraction, critic_grad_norm: norm };
}

function updatePolicy(
  members: readonly number[],
  sequences: readonly Sequence[],
  a: Advantages,
  { network, optimizer }: Learner,
  params: Params,
  lr: number,
): Record<string, number> {
  const { batch, weight, of } = pick(members, sequences);
  const clip: PolicyClip = {
    clipLow: params.clip_range,
    clipHigh: params.clip_range_high ?? params.clip_range,
    dualClip: params.dual_clip,
  };
  const program = policyProgram({
    clip,
    temperature: params.temperature,
    entropyCoefficient: params.entropy_coef,
  });
  const seen = { logprobs: [] as number[], oldLogprobs: [] as number[], advantages: [] as number[] };
  let loss = 0, entropy = 0;
  for (const micro of microBatches(batch, params.micro_batch_tokens)) {
    const tokens = {
      id: micro.targetIds,
      oldLogprob: gatherTokens(micro, of(a.oldLogprobs)),
      advantage: gatherTokens(micro, of(a.advantages)),
      weight: new Float32Array(micro.positions.length).fill(weight),
    };
    const result = network.run({
      batch: micro.batch,
      positions: micro.positions,
      program,
      tokens,
      train: true,
    });
    loss += result.loss;
    for (const e of result.tokens.entropy!) entropy += e * weight;
    append(seen.logprobs, result.tokens.logprob!);
    append(seen.oldLogprobs, tokens.oldLogprob);
    append(seen.advantages, tokens.advantage);
  }
  const s = policyStatistics(seen, clip);
  const norm = optimizer.update(lr);
  return {
    policy_loss: loss,
    entropy,
    clip_fraction: s.clipFraction,
    approx_kl: s.approxKlK3,
    approx_kl_k1: s.approxKlK1,
    ratio_deviation: s.ratioDeviation,
    policy_grad_norm: norm,
  };
}
