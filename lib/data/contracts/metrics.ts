/**
 * `metrics@1`: metrics of a stage, step by step. It has no times and rates, because equal work must give equal bytes.
 * @module
 */
import { readContract, type RowFormat, writeContract } from "./contract_file.ts";

/** One value. */
export interface MetricRow {
  /** from 0 */
  readonly step: number;
  /** snake_case */
  readonly name: string;
  readonly value: number;
}

const SCHEMA = { step: "i64", name: "utf8", value: "f64" } as const;

const FORMAT: RowFormat<MetricRow, typeof SCHEMA> = {
  contract: "metrics@1",
  schema: SCHEMA,
  check: (row, problems) => {
    problems.natural("step", row.step);
    problems.finite("value", row.value);
  },
  mayBeEmpty: true,
};

/**
 * Reads a `metrics@1` file.
 * @throws {DataError} if it is not one or breaks the contract; rows count from 0
 */
export function readMetrics(path: string): MetricRow[] {
  return readContract(path, FORMAT).rows;
}

/**
 * Publishes a `metrics@1` file.
 * @throws {ColumnError} if rows break the contract
 */
export function writeMetrics(path: string, rows: readonly MetricRow[]): Promise<void> {
  return writeContract(path, FORMAT, rows);
}
