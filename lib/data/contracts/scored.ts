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
  /**
   * f32[R] nats, what each token adds to the length-normalised reward: that of a response which ends with this token, minus that of one
   * which ends before it. Absent without length normalisation: `tokenRewards` are then these
   */
  readonly normalisedRewards?: Float32Array;
  /** the sampling temperature of the two next columns; the three are absent at temperature 1 */
  readonly temperature?: number;
  /** f32[R] nats, under the SFT model at `temperature` */
  readonly sftLogprobsTempered?: Float32Array;
  /** f32[R] nats, under the base at `temperature` */
  readonly baseLogprobsTempered?: Float32Array;
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

const OPTIONAL = {
  normalised_rewards: "list<f32>",
  temperature: "f64",
  sft_logprobs_tempered: "list<f32>",
  base_logprobs_tempered: "list<f32>",
} as const;

const FORMAT: RowFormat<ScoredRow, typeof SCHEMA, typeof OPTIONAL> = {
  contract: "scored@1",
  schema: SCHEMA,
  optional: OPTIONAL,
  check: (row, problems) => {
    checkRollout(row, problems);
    const optional = {
      normalised_rewards: row.normalisedRewards,
      sft_logprobs_tempered: row.sftLogprobsTempered,
      base_logprobs_tempered: row.baseLogprobsTempered,
    };
    const lists = {
      sft_logprobs: row.sftLogprobs,
      target_logprobs: row.targetLogprobs,
      base_logprobs: row.baseLogprobs,
      token_rewards: row.tokenRewards,
    };
    for (const [column, list] of [...Object.entries(lists), ...Object.entries(optional)]) {
      if (list === undefined) continue;
      problems.sameLength(column, list, "response_ids", row.responseIds.length);
      problems.finiteList(column, list);
    }
    problems.finite("raw_reward", row.rawReward);
    problems.finite("reward", row.reward);
    if (row.baseNll !== null) problems.finite("base_nll", row.baseNll);
    if (row.temperature !== undefined) problems.finite("temperature", row.temperature);
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
