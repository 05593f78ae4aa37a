/** What training makes smaller: a loss over rows, of which every update sees a batch. @module */
import type { Network } from "@/lib/train/network.ts";

/** Figures of a batch, before the update. */
export interface BatchFigures {
  /** mean over the batch, nats */
  readonly loss: number;
  /** tokens that went through the model, without padding */
  readonly tokens: number;
  /** further metrics by name */
  readonly more: Readonly<Record<string, number>>;
}

/** A loss over rows. */
export interface Objective {
  /** rows of a pass over the data */
  readonly rows: number;
  /** Adds the gradient of the mean loss of `batch`, indices of rows, to those of `network`. */
  accumulate(network: Network, batch: readonly number[]): BatchFigures;
}
