/**
 * Rows by index: embedding lookups with their gradients, and hidden states on their way to the head and back. On the
 * processor rows are copied; on a device graphs do it, and only indices cross.
 * @module
 */
import type { Tensor } from "@/lib/compute/ort/tensor_value.ts";
import type { EmbeddingTable } from "@/lib/model/models/model.ts";
import type { TokenBatch } from "./embedding.ts";
import type { PlacedVector } from "./placed_vector.ts";

/** Operations on f32 tensors of rows; all tensors are at the same place. */
export interface RowOperations {
  /** Writes x[token] = Σ factor · table[index] to `x` [B·T,C]. */
  embed(tables: readonly EmbeddingTable[], weights: PlacedVector, batch: TokenBatch, x: Tensor): void;
  /** Adds factor · dx[token] to the gradient of the table row of each token, in a fixed order. */
  embedBackward(
    tables: readonly EmbeddingTable[],
    gradients: PlacedVector,
    batch: TokenBatch,
    dx: Tensor,
  ): void;
  /** Writes the rows of `from` at `positions` to the first rows of `to`, and zeros to the others. */
  gather(from: Tensor, positions: Int32Array, to: Tensor): void;
  /**
   * Writes the first rows of `from` to the rows of `to` at `positions`.
   * @param isFirst true: all other rows become zero
   */
  scatter(from: Tensor, positions: Int32Array, to: Tensor, isFirst: boolean): void;
}
