/**
 * `differences@1`: by how much two models differ in a metric on the same prompts, with an interval. Every prompt of the evaluation
 * counts, whatever is stored of its responses.
 * @module
 */
import { readContract, type RowFormat, writeContract } from "./contract_file.ts";
import type { DecodingMode } from "./evals.ts";

/** The difference of two models in one metric. */
export interface DifferenceOfModels {
  readonly model: string;
  readonly against: string;
  readonly mode: DecodingMode;
  readonly metric: string;
  /** mean of `model` minus mean of `against` */
  readonly mean: number;
  /** ends of the 95 % interval of `mean`; null: fewer than two prompts, or no prompt differs from another */
  readonly low: number | null;
  readonly high: number | null;
  /** number of prompts; of validation_nll, of demonstrations */
  readonly n: number;
  /** paired: by the differences of the prompts. bootstrap: by resampling prompts, for metrics of a set of responses */
  readonly method: "paired" | "bootstrap";
}

const SCHEMA = {
  model: "utf8",
  against: "utf8",
  mode: "utf8",
  metric: "utf8",
  mean: "f64",
  low: "f64?",
  high: "f64?",
  n: "i64",
  method: "utf8",
} as const;

const FORMAT: RowFormat<DifferenceOfModels, typeof SCHEMA> = {
  contract: "differences@1",
  schema: SCHEMA,
  check: ({ mode, mean, low, high, n, method }, problems) => {
    problems.oneOf("mode", mode, ["greedy", "sampled"]);
    problems.oneOf("method", method, ["paired", "bootstrap"]);
    problems.finite("mean", mean);
    problems.natural("n", n);
    if (low !== null) problems.finite("low", low);
    if (high !== null) problems.finite("high", high);
    if ((low === null) !== (high === null)) {
      problems.add("high", "be null where low is, and only there", `${high}`);
    } else if (low !== null && low >= high!) problems.add("high", "be greater than low", `${high}`);
  },
  mayBeEmpty: true,
};

/**
 * Reads a `differences@1` file.
 * @throws {DataError} if it is not one or breaks the contract; rows count from 0
 */
export function readDifferences(path: string): DifferenceOfModels[] {
  return readContract(path, FORMAT).rows;
}

/**
 * Publishes a `differences@1` file.
 * @throws {ColumnError} if rows break the contract
 */
export function writeDifferences(path: string, rows: readonly DifferenceOfModels[]): Promise<void> {
  return writeContract(path, FORMAT, rows);
}
