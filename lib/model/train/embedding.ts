/**
 * Embedding lookups and their gradients, on the host: a lookup copies rows, and the sum over repeated ids needs a fixed
 * order, which ONNX Runtime's fast scatter does not have.
 * @module
 */
import type { EmbeddingTable } from "@/lib/model/models/model.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";

/** Right-padded rows of token ids. */
export interface TokenBatch {
  /** [B·T], row-major; padding is 0 */
  readonly ids: Int32Array;
  readonly rows: number;
  readonly length: number;
  /** number of tokens of each row, including the last one, which is not an input; the rotation of some models depends on them. Default: `length` */
  readonly lengths?: readonly number[];
}

/** Returns the table row of a token. Padding beyond the last position of a model uses the last row. */
function indexOf(table: EmbeddingTable, batch: TokenBatch, token: number): number {
  if (table.index === "token") return batch.ids[token]!;
  return Math.min(token % batch.length, table.parameter.shape[0]! - 1);
}

/** Returns the table row of every token. */
export function tableIndices(table: EmbeddingTable, batch: TokenBatch): Int32Array {
  return Int32Array.from(batch.ids, (_, token) => indexOf(table, batch, token));
}

/** Writes x[token] = Σ factor · table[index] to `x` [B·T, C]. */
export function embed(
  tables: readonly EmbeddingTable[],
  weights: ParameterVector,
  batch: TokenBatch,
  x: Float32Array,
): void {
  tables.forEach((table, order) => {
    const { parameter: { name, shape: [, width] }, factor } = table;
    const rows = weights.view(name), size = width!;
    for (let token = 0; token < batch.ids.length; token++) {
      const from = indexOf(table, batch, token) * size, to = token * size;
      if (order === 0 && factor === 1) x.set(rows.subarray(from, from + size), to);
      else {
        for (let c = 0; c < size; c++) {
          x[to + c] = (order === 0 ? 0 : x[to + c]!) + rows[from + c]! * factor;
        }
      }
    }
  });
}

/** Adds factor · dx[token] to the gradient of the table row of each token. */
export function embedBackward(
  tables: readonly EmbeddingTable[],
  gradients: ParameterVector,
  batch: TokenBatch,
  dx: Float32Array,
): void {
  for (const table of tables) {
    const { parameter: { name, shape: [, width] }, factor } = table;
    const rows = gradients.view(name), size = width!;
    for (let token = 0; token < batch.ids.length; token++) {
      const to = indexOf(table, batch, token) * size, from = token * size;
      for (let c = 0; c < size; c++) rows[to + c] = rows[to + c]! + dx[from + c]! * factor;
    }
  }
}
