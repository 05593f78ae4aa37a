/** `rollouts@1`: a policy's answers, with the log-probabilities that its sampler drew them with. @module */
import type { Columns } from "@/lib/arrow/column_schema.ts";
import { readTokenContract, type RowFormat, type TokenTable, writeContract } from "./contract_file.ts";
import type { RowProblems } from "./row_problems.ts";

/** Why a response ended: the model's end token, the length limit, or a stop text. */
export type FinishReason = "eos" | "length" | "stop";

/** One answer. */
export interface RolloutRow {
  readonly id: string;
  readonly promptId: string;
  /** number of this answer among those to the same prompt, from 0 */
  readonly sample: number;
  /** i32[P] */
  readonly promptIds: Int32Array;
  /** i32[R] with EOS where it was emitted */
  readonly responseIds: Int32Array;
  /** f32[R] nats, under the distribution that was sampled from (temperature, top-k, top-p) */
  readonly logprobs: Float32Array;
  /** f32[R] nats, at temperature 1 and untruncated; null where equal to `logprobs` */
  readonly logprobsT1: Float32Array | null;
  readonly finishReason: FinishReason;
  /** JSON, the prompt's */
  readonly meta: string;
}

/** Columns of `rollouts@1`; `scored@1` adds to them. */
export const ROLLOUT_SCHEMA = {
  id: "utf8",
  prompt_id: "utf8",
  sample: "i32",
  prompt_ids: "list<i32>",
  response_ids: "list<i32>",
  logprobs: "list<f32>",
  logprobs_t1: "list<f32>?",
  finish_reason: "utf8",
  meta: "utf8",
} as const;

/** One row out of columns. */
export function rolloutOf(columns: Columns<typeof ROLLOUT_SCHEMA>, row: number): RolloutRow {
  return {
    id: columns.id[row]!,
    promptId: columns.prompt_id[row]!,
    sample: columns.sample[row]!,
    promptIds: columns.prompt_ids[row]!,
    responseIds: columns.response_ids[row]!,
    logprobs: columns.logprobs[row]!,
    logprobsT1: columns.logprobs_t1[row]!,
    finishReason: columns.finish_reason[row]! as FinishReason,
    meta: columns.meta[row]!,
  };
}

/** Columns out of rows. */
export function rolloutColumns(rows: readonly RolloutRow[]): Columns<typeof ROLLOUT_SCHEMA> {
  return {
    id: rows.map((row) => row.id),
    prompt_id: rows.map((row) => row.promptId),
    sample: rows.map((row) => row.sample),
    prompt_ids: rows.map((row) => row.promptIds),
    response_ids: rows.map((row) => row.responseIds),
    logprobs: rows.map((row) => row.logprobs),
    logprobs_t1: rows.map((row) => row.logprobsT1),
    finish_reason: rows.map((row) => row.finishReason),
    meta: rows.map((row) => row.meta),
  };
}

/** Reports what is wrong with a row. */
export function checkRollout(row: RolloutRow, problems: RowProblems): void {
  problems.natural("sample", row.sample);
  problems.notEmpty("prompt_ids", row.promptIds);
  problems.ids("prompt_ids", row.promptIds);
  problems.ids("response_ids", row.responseIds);
  problems.sameLength("logprobs", row.logprobs, "response_ids", row.responseIds.length);
  problems.finiteList("logprobs", row.logprobs);
  if (row.logprobsT1 !== null) {
    problems.sameLength("logprobs_t1", row.logprobsT1, "response_ids", row.responseIds.length);
    problems.finiteList("logprobs_t1", row.logprobsT1);
  }
  problems.oneOf("finish_reason", row.finishReason, ["eos", "length", "stop"]);
}

const FORMAT: RowFormat<RolloutRow, typeof ROLLOUT_SCHEMA> = {
  contract: "rollouts@1",
  schema: ROLLOUT_SCHEMA,
  toRow: rolloutOf,
  toColumns: rolloutColumns,
  check: checkRollout,
};

/**
 * Reads a `rollouts@1` file, or the rollouts of a `scored@1` file, which holds all their columns.
 * @throws {DataError} if it is neither or breaks the contract; rows count from 0
 */
export function readRollouts(path: string): TokenTable<RolloutRow> {
  return readTokenContract(path, FORMAT, ["scored@1"]);
}

/**
 * Publishes a `rollouts@1` file.
 * @throws {ColumnError} if rows break the contract
 */
export function writeRollouts(path: string, table: TokenTable<RolloutRow>): Promise<void> {
  return writeContract(path, FORMAT, table.rows, table.tokenizerDigest);
}
