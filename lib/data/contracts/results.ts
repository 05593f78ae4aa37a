/**
 * `results@1`: what an experiment's runs measured, one row per arm, seed, decoding mode and metric. Arms of one seed
 * are pairs.
 * @module
 */
import { readContract, type RowFormat, writeContract } from "./contract_file.ts";
import type { DecodingMode } from "./evals.ts";

/** One metric of one run. */
export interface ResultRow {
  /** name of the experiment */
  readonly experiment: string;
  readonly arm: string;
  /** JSON object: the point of the experiment's grid, by axis; `{}` without a grid */
  readonly point: string;
  readonly seed: number;
  /** name under which the run evaluated the arm's model */
  readonly model: string;
  readonly mode: DecodingMode;
  readonly metric: string;
  /** over the evaluation prompts of this run */
  readonly mean: number;
  /** standard error of `mean` over those prompts: not over seeds */
  readonly stderr: number;
  /** number of responses that the mean is over */
  readonly n: number;
}

const SCHEMA = {
  experiment: "utf8",
  arm: "utf8",
  point: "utf8",
  seed: "i64",
  model: "utf8",
  mode: "utf8",
  metric: "utf8",
  mean: "f64",
  stderr: "f64",
  n: "i64",
} as const;

const FORMAT: RowFormat<ResultRow, typeof SCHEMA> = {
  contract: "results@1",
  schema: SCHEMA,
  check: (row, problems) => {
    problems.jsonObject("point", row.point);
    problems.natural("seed", row.seed);
    problems.oneOf("mode", row.mode, ["greedy", "sampled"]);
    problems.finite("mean", row.mean);
    problems.finite("stderr", row.stderr);
    if (row.stderr < 0) problems.add("stderr", "not be negative", `${row.stderr}`);
    problems.natural("n", row.n);
  },
  mayBeEmpty: true,
};

/**
 * Reads a `results@1` file.
 * @throws {DataError} if it is not one or breaks the contract; rows count from 0
 */
export function readResults(path: string): ResultRow[] {
  return readContract(path, FORMAT).rows;
}

/**
 * Publishes a `results@1` file.
 * @throws {ColumnError} if rows break the contract
 */
export function writeResults(path: string, rows: readonly ResultRow[]): Promise<void> {
  return writeContract(path, FORMAT, rows);
}
