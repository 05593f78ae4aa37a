/** `prompts@1`: prompts as token ids. @module */
import { readTokenContract, type RowFormat, type TokenTable, writeContract } from "./contract_file.ts";

/** One prompt. */
export interface PromptRow {
  readonly id: string;
  /** i32[P] everything before the response, BOS included */
  readonly promptIds: Int32Array;
  /** JSON: fields for a checker */
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
 * @throws {DataError} if it is not one or violates the contract; rows count from 0
 */
export function readPrompts(path: string): TokenTable<PromptRow> {
  return readTokenContract(path, FORMAT);
}

/**
 * Publishes a `prompts@1` file.
 * @throws {ColumnError} if rows violate the contract
 */
export function writePrompts(path: string, table: TokenTable<PromptRow>): Promise<void> {
  return writeContract(path, FORMAT, table.rows, table.tokenizerDigest);
}
