/**
 * Packing: joins rows into one stream of tokens and splits it into blocks of one length, so that pretraining has no padding.
 * A document begins after the EOS token of the previous one, and tokens may attend across that border, as in GPT-2 and
 * llama2.c.
 * @module
 */
import type { TokenRow } from "@/lib/data/contracts/tokens.ts";

/**
 * Returns the rows as blocks of `length` tokens, in their order; the last block has the remaining tokens. A last block of one
 * token, which predicts nothing, is left out.
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
  const blocks: TokenRow[] = [];
  for (let at = 0; at < total - 1; at += length) {
    blocks.push({
      id: `pack-${blocks.length}`,
      inputIds: ids.slice(at, at + length),
      lossMask: mask.slice(at, at + length),
      source: "packed",
    });
  }
  return blocks;
}
