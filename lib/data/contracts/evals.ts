/** `evals@1`: metrics of each model, by metric and decoding mode. @module */
import { readContract, type RowFormat, writeContract } from "./contract_file.ts";

/** How responses were decoded. */
export type DecodingMode = "greedy" | "sampled";

/** A benchmark's part of the name of a metric, `benchmark/TASK@VERSION/TEMPLATE/METRIC`. */
export interface BenchmarkMetric {
  readonly task: string;
  readonly version: string;
  /** `plain`, or the chat template */
  readonly template: string;
  readonly metric: string;
}

/** Returns the name of a benchmark's metric in the column `metric`. */
export function benchmarkMetric({ task, version, template, metric }: BenchmarkMetric): string {
  return `benchmark/${task}@${version}/${template}/${metric}`;
}

/** Returns the parts of such a name; undefined for other metrics. */
export function benchmarkOf(name: string): BenchmarkMetric | undefined {
  const [, task, version, template, metric] = /^benchmark\/([^@/]+)@([^/]+)\/([^/]+)\/(.+)$/.exec(name) ?? [];
  return metric === undefined ? undefined : { task: task!, version: version!, template: template!, metric };
}

/** One metric. */
export interface EvalRow {
  readonly model: string;
  readonly mode: DecodingMode;
  readonly metric: string;
  readonly mean: number;
  /** standard error of `mean` */
  readonly stderr: number;
  /** number of responses that the mean is over */
  readonly n: number;
}

const SCHEMA = { model: "utf8", mode: "utf8", metric: "utf8", mean: "f64", stderr: "f64", n: "i64" } as const;

const FORMAT: RowFormat<EvalRow, typeof SCHEMA> = {
  contract: "evals@1",
  schema: SCHEMA,
  check: (row, problems) => {
    problems.oneOf("mode", row.mode, ["greedy", "sampled"]);
    problems.finite("mean", row.mean);
    problems.finite("stderr", row.stderr);
    if (row.stderr < 0) problems.add("stderr", "not be negative", `${row.stderr}`);
    problems.natural("n", row.n);
  },
  mayBeEmpty: true,
};

/**
 * Reads an `evals@1` file.
 * @throws {DataError} if it is not one or breaks the contract; rows count from 0
 */
export function readEvals(path: string): EvalRow[] {
  return readContract(path, FORMAT).rows;
}

/**
 * Publishes an `evals@1` file.
 * @throws {ColumnError} if rows break the contract
 */
export function writeEvals(path: string, rows: readonly EvalRow[]): Promise<void> {
  return writeContract(path, FORMAT, rows);
}
