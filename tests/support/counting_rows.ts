/** Demonstrations that are easy to learn, for tests of training. @module */
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type TokenRow, writeTokens } from "@/lib/data/contracts/tokens.ts";

/** A random model of 96 ids, a context of 64 tokens and two blocks. */
export const SMALL_MODEL = "fixtures/goldens/srppo/base";

/** Returns rows that count upwards, from row number `first` on. Two thirds of a row are supervised. */
export function countingRows(count: number, first = 0): TokenRow[] {
  return Array.from({ length: count }, (_, k) => {
    const i = first + k;
    const inputIds = Int32Array.from(
      { length: 6 + i * 5 % 11 },
      (_, t) => t === 0 ? 1 : 3 + (i * 7 + t) % 90,
    );
    return {
      id: `d${i}`,
      inputIds,
      lossMask: Uint8Array.from(inputIds, (_, t) => t * 3 >= inputIds.length ? 1 : 0),
      source: `demos.jsonl:${i + 1}`,
    };
  });
}

/** Writes rows for the small model. */
export function writeSmallTokens(path: string, rows: readonly TokenRow[]): Promise<void> {
  return writeTokens(path, { rows, tokenizerDigest: tokenizerDigest(SMALL_MODEL) });
}
