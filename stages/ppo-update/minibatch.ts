/** A minibatch: which trajectories it holds, the pass over it that adds gradients, and the optimizer step. @module */
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { permutation } from "@/lib/compute/random/shuffle.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { aggregationWeights } from "@/lib/model/rl/aggregate.ts";
import type { AdamW } from "@/lib/model/train/adamw.ts";
import { gatherTokens, type MicroBatch, microBatches, type Sequence } from "@/lib/model/train/batching.ts";
import type { MovingAverage } from "@/lib/model/train/moving_average.ts";
import type { PlacedVector } from "@/lib/model/train/placed_vector.ts";
import type { HeadProgram } from "@/lib/model/train/head_program.ts";
import type { Network, PassResult, TokenInputs } from "@/lib/model/train/network.ts";
import type { Params } from "./params.ts";
import type { Trajectory } from "./trajectory.ts";

/** A network with its optimizer. */
export interface Learner {
  readonly network: Network;
  /** the weights of the network that the optimizer updates: all, or one part of a network with two heads */
  readonly weights: PlacedVector;
  readonly optimizer: AdamW;
  /** moving average of the network's weights */
  readonly ema?: MovingAverage | undefined;
}

/** The trajectories of one update. */
export interface Minibatch {
  /** from 1, over all epochs of the iteration */
  readonly number: number;
  readonly trajectories: readonly Trajectory[];
}

/** Yields the minibatches of one epoch: each trajectory once, in an order that follows from seed, iteration and epoch. */
export function* minibatches(
  trajectories: readonly Trajectory[],
  { seed, iteration, epoch }: { readonly seed: number; readonly iteration: number; readonly epoch: number },
  { minibatch_size: size }: Params,
): Generator<Minibatch> {
  const order = permutation(trajectories.length, makeKey(seed, "minibatches", iteration, epoch));
  let number = epoch * Math.ceil(trajectories.length / size);
  for (let start = 0; start < order.length; start += size) {
    const members = Array.from(order.subarray(start, start + size), (i) => trajectories[i]!);
    yield { number: ++number, trajectories: members };
  }
}

/**
 * Returns the weights of the tokens of each trajectory in the loss of a minibatch.
 * @param constantLength divisor of `constant_length`, tokens
 */
export function tokenWeights(
  trajectories: readonly Trajectory[],
  aggregation: Params["loss_aggregation"],
  constantLength: number | null = null,
): Float64Array[] {
  const lengths = trajectories.map(({ responseIds }) => responseIds.length);
  const weights = aggregationWeights(aggregation, lengths, constantLength);
  let at = 0;
  return lengths.map((length) => weights.subarray(at, at += length));
}

/** Per-token inputs of a loss by name, one array per sequence, and its scalars. */
export interface LossInputs {
  readonly tokens: Readonly<Record<string, readonly ArrayLike<number>[]>>;
  readonly scalars?: Readonly<Record<string, number>>;
}

/** One forward and backward pass over a micro-batch, with the inputs that the loss had. */
export interface TrainedMicroBatch extends PassResult {
  readonly micro: MicroBatch;
  readonly inputs: TokenInputs;
}

/** Runs a loss over sequences, one micro-batch after the other, and adds its gradient to the learner's. */
export function addGradients(
  { network }: Learner,
  program: HeadProgram,
  sequences: readonly Sequence[],
  { tokens, scalars = {} }: LossInputs,
  { micro_batch_tokens }: Params,
): TrainedMicroBatch[] {
  return microBatches(sequences, micro_batch_tokens).map((micro) => {
    const inputs: Record<string, ArrayLike<number>> = program.tokens.id ? { id: micro.targetIds } : {};
    for (const [name, rows] of Object.entries(tokens)) inputs[name] = gatherTokens(micro, rows);
    const { batch, positions } = micro;
    const result = network.run({ batch, positions, program, tokens: inputs, scalars, train: true });
    return { micro, inputs, ...result };
  });
}

/** Returns a per-token input or output of all micro-batches end to end, in the order in which they ran. */
export function tokensOf(passes: readonly TrainedMicroBatch[], name: string): number[] {
  return passes.flatMap(({ inputs, tokens }) => Array.from(tokens[name] ?? inputs[name]!));
}

/** The first number that is not finite, in a loss, a token or a gradient. */
export interface NonFinite {
  /** name of the tensor */
  readonly tensor: string;
  /** ids of the rows that it belongs to */
  readonly rows: readonly string[];
  readonly value: number;
}

/** Metrics of an update, taken before its optimizer step; or why it was skipped. */
export type UpdateResult =
  | { readonly metrics: Readonly<Record<string, number>> }
  | { readonly nonFinite: NonFinite };

/**
 * Adds the gradient of a loss over a minibatch to the learner's. Where the loss or a token output is not finite, the gradients are discarded.
 * @returns the passes, or what was not finite
 */
export function minibatchGradients(
  { trajectories }: Minibatch,
  learner: Learner,
  program: HeadProgram,
  inputs: LossInputs,
  params: Params,
): { readonly passes: readonly TrainedMicroBatch[] } | { readonly nonFinite: NonFinite } {
  const passes = addGradients(learner, program, trajectories.map(({ sequence }) => sequence), inputs, params);
  for (const pass of passes) {
    const nonFinite = firstNonFinite(pass, pass.micro.members.map((i) => trajectories[i]!));
    if (!nonFinite) continue;
    discardGradients(learner);
    return { nonFinite };
  }
  return { passes };
}

function firstNonFinite(
  { loss, tokens }: PassResult,
  members: readonly Trajectory[],
): NonFinite | undefined {
  for (const [tensor, values] of Object.entries(tokens)) {
    const at = values.findIndex((x) => !Number.isFinite(x));
    if (at < 0) continue;
    let end = 0;
    const member = members.find(({ sequence }) => (end += sequence.targets.length) > at)!;
    return { tensor, rows: [member.id], value: values[at]! };
  }
  return Number.isFinite(loss)
    ? undefined
    : { tensor: "loss", rows: members.map(({ id }) => id), value: loss };
}

/**
 * Makes one optimizer step and zeroes the gradients; then the moving average follows. A gradient that is not finite is discarded.
 * @returns the gradient norm before clipping, or what was not finite
 */
export function optimizerStep(
  learner: Learner,
  lr: number,
  { trajectories }: Minibatch,
  { ema_decay }: Params,
): { readonly norm: number } | { readonly nonFinite: NonFinite } {
  const { optimizer, ema } = learner, norm = optimizer.gradNorm();
  if (!Number.isFinite(norm)) {
    optimizer.pullGradients();
    const nonFinite = { ...nonFiniteGradient(optimizer.gradients), rows: trajectories.map(({ id }) => id) };
    discardGradients(learner);
    return { nonFinite };
  }
  optimizer.update(lr, norm);
  ema?.update(ema_decay!);
  return { norm };
}

/** Zeroes the gradients without a step. */
export function discardGradients({ optimizer }: Learner): void {
  optimizer.discard();
}

/** Returns the first parameter whose gradient is not finite; the norm, where only the squares overflow. */
function nonFiniteGradient(gradients: ParameterVector): { tensor: string; value: number } {
  for (const { name } of gradients.specs) {
    const value = gradients.view(name).find((x) => !Number.isFinite(x));
    if (value !== undefined) return { tensor: `the gradient of ${name}`, value };
  }
  return { tensor: "the gradient norm", value: Infinity };
}
