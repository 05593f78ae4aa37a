/**
 * Rows by index: embedding lookups with their gradients, and hidden states on their way to the head and back. On the
 * processor rows are copied; on a device graphs do it, and only indices cross.
 * @module
 */
import { type Place } from "@/lib/compute/ort/place.ts";
import { float32Of, type Tensor, type TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import type { EmbeddingTable } from "@/lib/model/models/model.ts";
import { deviceRows } from "./device_rows.ts";
import { embed, embedBackward, type TokenBatch } from "./embedding.ts";
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

/** Returns the operations of a place. */
export function rowOperations(place: Place): RowOperations {
  return place.isHost ? HOST_ROWS : deviceRows(place);
}

const HOST_ROWS: RowOperations = {
  embed: (tables, { host }, batch, x) => embed(tables, host, batch, dataOf(x)),
  embedBackward: (tables, { host }, batch, dx) => embedBackward(tables, host, batch, dataOf(dx)),
  gather(from, positions, to) {
    const width = to.shape[1]!, source = dataOf(from), target = dataOf(to);
    for (let i = 0; i < positions.length; i++) {
      const begin = positions[i]! * width;
      target.set(source.subarray(begin, begin + width), i * width);
    }
    target.fill(0, positions.length * width);
  },
  scatter(from, positions, to, isFirst) {
    const width = to.shape[1]!, source = dataOf(from), target = dataOf(to);
    if (isFirst) target.fill(0);
    for (let i = 0; i < positions.length; i++) {
      target.set(source.subarray(i * width, (i + 1) * width), positions[i]! * width);
    }
  },
};

function dataOf(tensor: Tensor): Float32Array<ArrayBuffer> {
  return float32Of(tensor as TensorValue);
}
