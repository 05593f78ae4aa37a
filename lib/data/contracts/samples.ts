/** `samples@1`: prompts and responses as text, for people. @module */
import { readContract, type RowFormat, writeContract } from "./contract_file.ts";
import type { DecodingMode } from "./evals.ts";
import type { FinishReason } from "./rollouts.ts";

/** One response as text. */
export interface SampleRow {
  readonly model: string;
  readonly mode: DecodingMode;
  readonly promptId: string;
  readonly prompt: string;
  readonly response: string;
  readonly finishReason: FinishReason;
  /** JSON object: metrics of this response by name */
  readonly scores: string;
}

const SCHEMA = {
  model: "utf8",
  mode: "utf8",
  prompt_id: "utf8",
  prompt: "utf8",
  response: "utf8",
  finish_reason: "utf8",
  scores: "utf8",
} as const;

const FORMAT: RowFormat<SampleRow, typeof SCHEMA> = {
  contract: "samples@1",
  schema: SCHEMA,
  check: (row, problems) => {
    problems.oneOf("mode", row.mode, ["greedy", "sampled"]);
    problems.oneOf("finish_reason", row.finishReason, ["eos", "length", "stop"]);
  },
  mayBeEmpty: true,
};

/**
 * Reads a `samples@1` file.
 * @throws {DataError} if it is not one or breaks the contract; rows count from 0
 */
export function readSamples(path: string): SampleRow[] {
  return readContract(path, FORMAT).rows;
}

/**
 * Publishes a `samples@1` file.
 * @throws {ColumnError} if rows break the contract
 */
export function writeSamples(path: string, rows: readonly SampleRow[]): Promise<void> {
  return writeContract(path, FORMAT, rows);
}
