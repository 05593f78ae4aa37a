/** `pairs@1`: preference pairs, a chosen and a rejected response to one prompt, for DPO and SPIN. @module */
import { readTokenContract, type RowFormat, type TokenTable, writeContract } from "./contract_file.ts";

/** One pair. */
export interface PairRow {
  /** i32[P] */
  readonly promptIds: Int32Array;
  /** i32[R] the better response */
  readonly chosenIds: Int32Array;
  /** i32[R] the worse response, of any length */
  readonly rejectedIds: Int32Array;
}

const SCHEMA = { prompt_ids: "list<i32>", chosen_ids: "list<i32>", rejected_ids: "list<i32>" } as const;

const FORMAT: RowFormat<PairRow, typeof SCHEMA> = {
  contract: "pairs@1",
  schema: SCHEMA,
  check: (row, problems) => {
    const lists = { prompt_ids: row.promptIds, chosen_ids: row.chosenIds, rejected_ids: row.rejectedIds };
    for (const [column, ids] of Object.entries(lists)) {
      problems.notEmpty(column, ids);
      problems.ids(column, ids);
    }
  },
};

/**
 * Reads a `pairs@1` file.
 * @throws {DataError} if it is not one or violates the contract; rows count from 0
 */
export function readPairs(path: string): TokenTable<PairRow> {
  return readTokenContract(path, FORMAT);
}

/**
 * Publishes a `pairs@1` file.
 * @throws {ColumnError} if rows violate the contract
 */
export function writePairs(path: string, table: TokenTable<PairRow>): Promise<void> {
  return writeContract(path, FORMAT, table.rows, table.tokenizerDigest);
}
