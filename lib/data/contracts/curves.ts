/**
 * `curves@2`: metrics of the loops of an experiment's runs, one row per arm, seed, iteration and metric.
 * @module
 */
import { readContract, type RowFormat, writeContract } from "./contract_file.ts";

/** One metric of one iteration. */
export interface CurveRow {
  /** name of the experiment */
  readonly experiment: string;
  readonly arm: string;
  /** JSON object: the point of the experiment's grid, by axis; `{}` without a grid */
  readonly point: string;
  readonly seed: number;
  /** name of the manifest's loop */
  readonly block: string;
  /** from 0 */
  readonly iteration: number;
  /** a metric of the loop's update, or `eval/<model>/<mode>/<metric>` of an evaluation inside the loop */
  readonly metric: string;
  readonly value: number;
}

const SCHEMA = {
  experiment: "utf8",
  arm: "utf8",
  point: "utf8",
  seed: "i64",
  block: "utf8",
  iteration: "i64",
  metric: "utf8",
  value: "f64",
} as const;

const FORMAT: RowFormat<CurveRow, typeof SCHEMA> = {
  contract: "curves@2",
  schema: SCHEMA,
  check: (row, problems) => {
    problems.jsonObject("point", row.point);
    problems.natural("seed", row.seed);
    problems.natural("iteration", row.iteration);
    problems.finite("value", row.value);
  },
  mayBeEmpty: true,
};

/**
 * Reads a `curves@2` file.
 * @throws {DataError} if it is not one or breaks the contract; rows count from 0
 */
export function readCurves(path: string): CurveRow[] {
  return readContract(path, FORMAT).rows;
}

/**
 * Publishes a `curves@2` file.
 * @throws {ColumnError} if rows break the contract
 */
export function writeCurves(path: string, rows: readonly CurveRow[]): Promise<void> {
  return writeContract(path, FORMAT, rows);
}
