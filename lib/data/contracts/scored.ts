/** `scored@1`: rollouts with log-probabilities under SFT model, reward members and base, and the reward. @module */
import { readTokenContract, type RowFormat, type TokenTable, writeContract } from "./contract_file.ts";
import { checkRollout, ROLLOUT_SCHEMA, type RolloutRow } from "./rollouts.ts";

/** One response with its reward. */
export interface ScoredRow extends RolloutRow {
  /** f32[R] nats, under the SFT model, for the KL to SFT */
  readonly sftLogprobs: Float32Array;
  /** f32[R] nats, under the reward's members, combined */
  readonly targetLogprobs: Float32Array;
  /** f32[R] nats, under the base */
  readonly baseLogprobs: Float32Array;
  /** f32[R] nats, target − base (or baseline) with all guards applied */
  readonly tokenRewards: Float32Array;
  /** sum of `tokenRewards`, nats */
  readonly rawReward: number;
  /** `rawReward` after length normalisation */
  readonly reward: number;
  /**
   * mean nats per token of the response alone under the base, after BOS, without prompt and EOS; null where undefined (a response
   * of EOS only)
   */
  readonly baseNll: number | null;
}

const SCHEMA = {
  ...ROLLOUT_SCHEMA,
  sft_logprobs: "list<f32>",
  target_logprobs: "list<f32>",
  base_logprobs: "list<f32>",
  token_rewards: "list<f32>",
  raw_reward: "f64",
  reward: "f64",
  base_nll: "f64?",
} as const;

const FORMAT: RowFormat<ScoredRow, typeof SCHEMA> = {
  contract: "scored@1",
  schema: SCHEMA,
  check: (row, problems) => {
    checkRollout(row, problems);
    const lists = {
      sft_logprobs: row.sftLogprobs,
      target_logprobs: row.targetLogprobs,
      base_logprobs: row.baseLogprobs,
      token_rewards: row.tokenRewards,
    };
    for (const [column, list] of Object.entries(lists)) {
      problems.sameLength(column, list, "response_ids", row.responseIds.length);
      problems.finiteList(column, list);
    }
    problems.finite("raw_reward", row.rawReward);
    problems.finite("reward", row.reward);
    if (row.baseNll !== null) problems.finite("base_nll", row.baseNll);
  },
};

/**
 * Reads a `scored@1` file.
 * @throws {DataError} if it is not one or violates the contract; rows count from 0
 */
export function readScored(path: string): TokenTable<ScoredRow> {
  return readTokenContract(path, FORMAT);
}

/**
 * Publishes a `scored@1` file.
 * @throws {ColumnError} if rows violate the contract
 */
export function writeScored(path: string, table: TokenTable<ScoredRow>): Promise<void> {
  return writeContract(path, FORMAT, table.rows, table.tokenizerDigest);
}
