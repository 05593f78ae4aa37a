/** `rollouts@1`: responses of a policy, with the log-probabilities under which they were sampled. @module */
import { jsonObjectIn } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { readTokenContract, type RowFormat, type TokenTable, writeContract } from "./contract_file.ts";
import type { RowProblems } from "./row_problems.ts";

/** Why a response ended: EOS, the length limit, or a stop string. */
export type FinishReason = "eos" | "length" | "stop";

/** One response. */
export interface RolloutRow {
  readonly id: string;
  readonly promptId: string;
  /** index of this response among those to the same prompt, from 0 */
  readonly sample: number;
  /** i32[P] */
  readonly promptIds: Int32Array;
  /** i32[R] with EOS where it was emitted */
  readonly responseIds: Int32Array;
  /** f32[R] nats, under the distribution that was sampled from (temperature, top-k, top-p) */
  readonly logprobs: Float32Array;
  /** f32[R] nats, at temperature 1 without top-k and top-p; null where equal to `logprobs` */
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

/** Reports the problems of a row. */
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

/**
 * Returns the `meta` of a response's prompt.
 * @param file of the prompt, for the message
 * @throws {DataError} if it is not a JSON object
 */
export function parsedMeta(
  { promptId, meta }: Pick<RolloutRow, "promptId" | "meta">,
  file?: string,
): Readonly<Record<string, unknown>> {
  const value = jsonObjectIn(meta);
  if (value) return value;
  const found = JSON.stringify(meta.slice(0, 80)), place = file === undefined ? "" : `${file}: `;
  throw new DataError(`${place}meta of prompt "${promptId}" must be a JSON object, got ${found}`, {
    column: "meta",
    ...(file === undefined ? {} : { file }),
  });
}

const FORMAT: RowFormat<RolloutRow, typeof ROLLOUT_SCHEMA> = {
  contract: "rollouts@1",
  schema: ROLLOUT_SCHEMA,
  check: checkRollout,
};

/**
 * Reads a `rollouts@1` file, or the rollouts of a `scored@1` file, which has all their columns.
 * @throws {DataError} if it is neither, or violates the contract; rows count from 0
 */
export function readRollouts(path: string): TokenTable<RolloutRow> {
  return readTokenContract(path, FORMAT, ["scored@1"]);
}

/**
 * Publishes a `rollouts@1` file.
 * @throws {ColumnError} if rows violate the contract
 */
export function writeRollouts(path: string, table: TokenTable<RolloutRow>): Promise<void> {
  return writeContract(path, FORMAT, table.rows, table.tokenizerDigest);
}
