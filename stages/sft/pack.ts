/**
 * Packing: rows joined into one stream of tokens and cut into pieces of one length, so that pretraining has no padding.
 * A document begins after the end token of the one before it, and tokens may attend across that border, as GPT-2 was
 * trained and llama2.c trains.
 * @module
 */
import type { TokenRow } from "@/lib/contracts/tokens.ts";

/**
 * The rows as pieces of `length` tokens, in their order; the last piece has what is left. A last piece of one token,
 * which predicts nothing, is left out.
 * @param length tokens, at least 2
 */
export function packed(rows: readonly TokenRow[], length: number): TokenRow[] {
  const total = rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  const ids = new Int32Array(total), mask = new Uint8Array(total);
  let end = 0;
  for (const { inputIds, lossMask } of rows) {
    ids.set(inputIds, end);
    mask.set(lossMask, end);
    end += inputIds.length;
  }
  const pieces: TokenRow[] = [];
  for (let at = 0; at < total - 1; at += length) {
    pieces.push({
      id: `pack-${pieces.length}`,
      inputIds: ids.slice(at, at + length),
      lossMask: mask.slice(at, at + length),
      source: "packed",
    });
  }
  return pieces;
}
