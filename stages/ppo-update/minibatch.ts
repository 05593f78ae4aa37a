/** A minibatch: rollouts by number, their sequences, and what goes with each of their tokens. @module */
import { aggregationWeights } from "@/lib/rl/aggregate.ts";
import { gatherTokens, type MicroBatch, microBatches, type Sequence } from "@/lib/train/batching.ts";
import type { Network, Pass } from "@/lib/train/network.ts";
import type { HeadProgram } from "@/lib/train/head_program.ts";
import type { AdamW } from "@/lib/train/adamw.ts";
import type { Params } from "./params.ts";

/** A network and its optimizer. */
export interface Learner {
  readonly network: Network;
  readonly optimizer: AdamW;
}

/** The rollouts of one update. */
export interface Minibatch {
  /** from 1, over all epochs of the round */
  readonly number: number;
  /** which rollouts */
  readonly members: readonly number[];
  readonly sequences: readonly Sequence[];
  /** ids of the rows, for messages */
  readonly ids: readonly string[];
}

const KINDS = {
  token_mean: "token_mean",
  sequence_mean: "seq_mean_token_mean",
  sequence_sum: "seq_mean_token_sum",
} as const;

/** Weights of the tokens of each rollout of a minibatch, by the names of the parameter. */
export function tokenWeights(
  { sequences }: Minibatch,
  kind: Params["loss_aggregation"],
): Float64Array[] {
  const lengths = sequences.map(({ targets }) => targets.length);
  const flat = aggregationWeights(KINDS[kind], lengths);
  let at = 0;
  return lengths.map((length) => flat.subarray(at, at += length));
}

/** A micro-batch of a minibatch, and the pass that trains on it. */
export interface TrainingPass {
  readonly micro: MicroBatch;
  readonly pass: Pass;
}

/**
 * The passes that train on a minibatch.
 * @param perRow per-token inputs of the program by name, one array per rollout of the minibatch
 */
export function trainingPasses(
  { sequences }: Pick<Minibatch, "sequences">,
  program: HeadProgram,
  given: {
    readonly perRow: Readonly<Record<string, readonly ArrayLike<number>[]>>;
    readonly scalars?: Readonly<Record<string, number>>;
  },
  { micro_batch_tokens }: Params,
): TrainingPass[] {
  return microBatches(sequences, micro_batch_tokens).map((micro) => {
    const tokens: Record<string, ArrayLike<number>> = program.tokens.id ? { id: micro.targetIds } : {};
    for (const [name, rows] of Object.entries(given.perRow)) tokens[name] = gatherTokens(micro, rows);
    const { batch, positions } = micro, { scalars = {} } = given;
    return { micro, pass: { batch, positions, program, tokens, scalars, train: true } };
  });
}

/** Adds numbers one by one: a call with a whole large micro-batch as arguments would overflow the stack. */
export function append(to: number[], from: ArrayLike<number>): void {
  for (let i = 0; i < from.length; i++) to.push(from[i]!);
}
