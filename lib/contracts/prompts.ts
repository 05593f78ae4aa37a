/** `prompts@1`: prompts as token ids, ready to be answered. @module */
import { readTokenContract, type RowFormat, type TokenTable, writeContract } from "./contract_file.ts";

/** One prompt. */
export interface PromptRow {
  readonly id: string;
  /** i32[P] with BOS and everything that comes before the response */
  readonly promptIds: Int32Array;
  /** JSON: what a checker needs to judge an answer */
  readonly meta: string;
}

const SCHEMA = { id: "utf8", prompt_ids: "list<i32>", meta: "utf8" } as const;

const FORMAT: RowFormat<PromptRow, typeof SCHEMA> = {
  contract: "prompts@1",
  schema: SCHEMA,
  check: (row, problems) => {
    problems.notEmpty("prompt_ids", row.promptIds);
    problems.ids("prompt_ids", row.promptIds);
  },
};

/**
 * Reads a `prompts@1` file.
 * @throws {DataError} if it is not one or breaks the contract; rows count from 0
 */
export function readPrompts(path: string): TokenTable<PromptRow> {
  return readTokenContract(path, FORMAT);
}

/**
 * Publishes a `prompts@1` file.
 * @throws {ColumnError} if rows break the contract
 */
export function writePrompts(path: string, table: TokenTable<PromptRow>): Promise<void> {
  return writeContract(path, FORMAT, table.rows, table.tokenizerDigest);
}
