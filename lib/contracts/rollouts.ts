/** `rollouts@1`: a policy's answers, with the log-probabilities that its sampler drew them with. @module */
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
