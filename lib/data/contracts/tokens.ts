/** `tokens@1`: demonstrations as token ids, with a mask of the supervised tokens. @module */
import { readTokenContract, type RowFormat, type TokenTable, writeContract } from "./contract_file.ts";

/** One demonstration. */
export interface TokenRow {
  readonly id: string;
  /** i32[T] the whole conversation, prompt and response */
  readonly inputIds: Int32Array;
  /** u8[T] 1 = this token is supervised; several assistant turns are possible */
  readonly lossMask: Uint8Array;
  /** its source: name and line of the file, or id of the rollout */
  readonly source: string;
}

/** Returns the indices of supervised tokens, or of all with loss `all`. The first token is none: nothing predicts it. */
export function supervisedTokens(
  { inputIds, lossMask }: Pick<TokenRow, "inputIds" | "lossMask">,
  loss: "response" | "all" = "response",
): number[] {
  return Array.from(inputIds.keys()).filter((t) => t > 0 && (loss === "all" || lossMask[t] === 1));
}

const SCHEMA = {
  id: "utf8",
  input_ids: "list<i32>",
  loss_mask: "list<u8>",
  source: "utf8",
} as const;

const FORMAT: RowFormat<TokenRow, typeof SCHEMA> = {
  contract: "tokens@1",
  schema: SCHEMA,
  check: (row, problems) => {
    problems.notEmpty("input_ids", row.inputIds);
    problems.ids("input_ids", row.inputIds);
    problems.sameLength("loss_mask", row.lossMask, "input_ids", row.inputIds.length);
    const bad = row.lossMask.findIndex((mask) => mask > 1);
    if (bad >= 0) problems.add("loss_mask", "be 0 or 1", `${row.lossMask[bad]} (element ${bad})`);
  },
};

/**
 * Reads a `tokens@1` file.
 * @throws {DataError} if it is not one or violates the contract; rows count from 0
 */
export function readTokens(path: string): TokenTable<TokenRow> {
  return readTokenContract(path, FORMAT);
}

/**
 * Publishes a `tokens@1` file.
 * @throws {ColumnError} if rows violate the contract
 */
export function writeTokens(path: string, table: TokenTable<TokenRow>): Promise<void> {
  return writeContract(path, FORMAT, table.rows, table.tokenizerDigest);
}
