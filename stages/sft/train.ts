/**
 * Which rows are trained on, and updates of AdamW: on the mean negative log-likelihood of the supervised tokens, or on
 * another objective. Everything that an update does follows from the seed and its number, so training can stop and go on
 * without a trace.
 * @module
 */
import type { TokenRow } from "@/lib/contracts/tokens.ts";
import type { MetricRow } from "@/lib/contracts/metrics.ts";
import { permutation } from "@/lib/random/shuffle.ts";
import { makeKey } from "@/lib/random/uniform.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { AdamW } from "@/lib/train/adamw.ts";
import { microBatches, type Sequence } from "@/lib/train/batching.ts";
import { batchRows } from "@/lib/train/epoch_order.ts";
import type { Network } from "@/lib/train/network.ts";
import { SUPERVISED } from "@/lib/train/programs.ts";
import { quickstartFactor, warmupStepsOf } from "@/lib/train/schedule.ts";
import { tokenLogprobs } from "@/lib/train/token_logprobs.ts";
import type { BatchFigures, Objective } from "./objective.ts";
import type { Params } from "./params.ts";

/** What one update did. */
export interface UpdateFigures extends BatchFigures {
  /** global norm before clipping */
  readonly gradNorm: number;
  readonly lr: number;
}

/**
 * Demonstrations as sequences whose targets are the supervised tokens; those without one are left out.
 * @param purpose what fails if none is left
 * @throws {DataError} if none of the rows has a supervised token
 */
export function supervisedSequences(
  rows: readonly TokenRow[],
  loss: Params["loss"],
  purpose: string,
): Sequence[] {
  const sequences = rows.flatMap(({ inputIds, lossMask }): Sequence[] => {
    const targets: number[] = []; // the first token has no context that predicts it
    for (let t = 1; t < inputIds.length; t++) if (loss === "all" || lossMask[t] === 1) targets.push(t);
    return targets.length > 0 ? [{ ids: inputIds, targets }] : [];
  });
  if (sequences.length > 0) return sequences;
  throw new DataError(
    `Cannot ${purpose} as some token must be supervised: none of ${rows.length} rows has one`,
  );
}

/** The rows that a seed's subsample keeps, in their own order. */
export function subsampled<Row>(rows: readonly Row[], seed: number, share: number): readonly Row[] {
  const count = Math.max(1, Math.floor(rows.length * share));
  if (count === rows.length) return rows;
  const drawn = permutation(rows.length, makeKey(seed, "subsample")).slice(0, count).sort();
  return Array.from(drawn, (row) => rows[row]!);
}

/** Updates that the parameters ask for, unless a run is to be matched. */
export function plannedUpdates(
  rows: number,
  { epochs, max_updates, min_updates, batch_size }: Pick<
    Params,
    "epochs" | "max_updates" | "min_updates" | "batch_size"
  >,
): number {
  if (max_updates > 0) return max_updates;
  return Math.max(1, min_updates, Math.round(epochs * Math.ceil(rows / batch_size)));
}

/**
 * Policy updates that a run's rounds made: the largest `policy_updates` of their metrics.
 * @throws {DataError} if no file tells
 */
export function matchedUpdates(rounds: readonly (readonly MetricRow[])[]): number {
  const counts = rounds.flatMap((rows) =>
    rows.filter(({ name }) => name === "policy_updates").map(({ value }) => value)
  );
  if (counts.length === 0) {
    throw new DataError(
      "Cannot match the updates of a run as its metrics must tell policy_updates: none of them does",
    );
  }
  return Math.max(...counts);
}

/** The mean negative log-likelihood of the supervised tokens of demonstrations. */
export function demonstrationObjective(
  rows: readonly Sequence[],
  { micro_batch_tokens }: Pick<Params, "micro_batch_tokens">,
): Objective {
  return {
    rows: rows.length,
    accumulate(network, members) {
      const batch = members.map((row) => rows[row]!);
      const supervised = batch.reduce((sum, { targets }) => sum + targets.length, 0);
      let loss = 0;
      for (const { batch: tokenBatch, positions, targetIds } of microBatches(batch, micro_batch_tokens)) {
        const weight = new Float32Array(positions.length).fill(1 / supervised);
        const tokens = { id: targetIds, weight };
        loss += network.run({ batch: tokenBatch, positions, program: SUPERVISED, tokens, train: true }).loss;
      }
      return { loss, tokens: batch.reduce((sum, { ids }) => sum + ids.length, 0), more: {} };
    },
  };
}

/** Update number `index` (from 0) of `total`. */
export function trainingUpdate(
  network: Network,
  optimizer: AdamW,
  objective: Objective,
  { index, total, seed, params }: { index: number; total: number; seed: number; params: Params },
): UpdateFigures {
  const figures = objective.accumulate(network, batchRows(seed, objective.rows, params.batch_size, index));
  const lr = params.lr * quickstartFactor(index, {
    kind: params.schedule,
    totalSteps: total,
    warmupSteps: warmupStepsOf(params.warmup_ratio, total),
    minRatio: params.min_lr_ratio,
  });
  return { ...figures, gradNorm: optimizer.update(lr), lr };
}

/** Mean nats per supervised token of held-back demonstrations. */
export function validationLoss(network: Network, rows: readonly Sequence[]): number {
  let sum = 0, count = 0;
  for (const logprobs of tokenLogprobs(network, rows)) {
    for (const x of logprobs) sum -= x;
    count += logprobs.length;
  }
  return sum / count;
}
