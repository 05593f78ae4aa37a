/** Training objectives: a loss over rows, of which every update uses a batch. @module */
import { supervisedTokens, type TokenRow } from "@/lib/data/contracts/tokens.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { microBatches, type Sequence } from "@/lib/model/train/batching.ts";
import type { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import type { Params } from "./params.ts";

/** Metrics of a batch, before the update. */
export interface BatchMetrics {
  /** mean over the batch, nats */
  readonly loss: number;
  /** tokens of the batch, without padding */
  readonly tokens: number;
  /** further metrics by name */
  readonly more: Readonly<Record<string, number>>;
}

/** A loss over rows. */
export interface Objective {
  /** rows of a pass over the data */
  readonly rows: number;
  /** Adds the gradient of the mean loss of `batch`, indices of rows, to those of `network`. */
  accumulate(network: Network, batch: readonly number[]): BatchMetrics;
}

/**
 * Returns demonstrations as sequences whose targets are the supervised tokens; rows without one are left out.
 * @param port name of the input, for messages
 * @throws {DataError} if no row has a supervised token
 */
export function supervisedSequences(
  rows: readonly TokenRow[],
  loss: Params["loss"],
  port: string,
): Sequence[] {
  const sequences = rows.map((row): Sequence => ({ ids: row.inputIds, targets: supervisedTokens(row, loss) }))
    .filter(({ targets }) => targets.length > 0);
  if (sequences.length > 0) return sequences;
  throw new DataError(`${port} must have supervised tokens, got none in ${rows.length} rows`);
}

/** Returns the mean negative log-likelihood of the supervised tokens of demonstrations as an objective. */
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
