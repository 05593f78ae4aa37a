/**
 * How per-token losses become one number. Every aggregation is a weighted sum, so it is given as one weight per token: the training
 * head adds weight · loss, micro-batch by micro-batch, and the result does not depend on how the rows were batched.
 * @module
 */
import { flatten, type Rows } from "./rows.ts";

/** Names of the aggregations, as parameters spell them. */
export const AGGREGATIONS = [
  "token_mean",
  "seq_mean_token_mean",
  "seq_mean_token_sum",
  "seq_mean_token_sum_norm",
] as const;

/** One of {@linkcode AGGREGATIONS}. */
export type Aggregation = typeof AGGREGATIONS[number];

/** Options of {@linkcode aggregationWeights}. */
export interface AggregationOptions {
  /** T of `seq_mean_token_sum_norm`: a constant length; default: the longest row */
  readonly normLength?: number;
}

/**
 * The weight of every token of an optimizer step, [N] with N = Σ lengths, rows end to end.
 *
 * token_mean 1/N · seq_mean_token_mean 1/(B·R_b) · seq_mean_token_sum 1/B · seq_mean_token_sum_norm 1/(B·T), R_b the length of the token's row.
 * Source: verl core_algos.agg_loss; `seq_mean_token_sum_norm` is Dr. GRPO (Liu et al. 2025, arXiv:2503.20783), which divides by a constant.
 * Give the lengths of ALL rows of the step: B and N are global, whatever the micro-batches.
 *
 * @param lengths R_b, each at least 1
 * @throws {RangeError} if a length or `normLength` is not a positive integer
 * @example Two rows of one and three tokens
 * ```ts
 * import { aggregationWeights } from "@/lib/rl/aggregate.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...aggregationWeights("token_mean", [1, 3])], [1 / 4, 1 / 4, 1 / 4, 1 / 4]);
 * assertEquals([...aggregationWeights("seq_mean_token_sum", [1, 3])], [1 / 2, 1 / 2, 1 / 2, 1 / 2]);
 * ```
 */
export function aggregationWeights(
  kind: Aggregation,
  lengths: readonly number[],
  options: AggregationOptions = {},
): Float64Array<ArrayBuffer> {
  const bad = lengths.flatMap((length, b) =>
    Number.isInteger(length) && length > 0 ? [] : [`row ${b} has ${length}`]
  );
  if (bad.length > 0) {
    throw new RangeError(`Cannot weigh tokens as every row must have at least one: ${bad.join(", ")}`);
  }
  const normLength = options.normLength ?? lengths.reduce((a, b) => Math.max(a, b), 1);
  if (!Number.isInteger(normLength) || normLength < 1) {
    throw new RangeError(`Cannot weigh tokens as the norm length must be a positive integer: ${normLength}`);
  }
  const rows = lengths.length;
  const total = lengths.reduce((a, b) => a + b, 0);
  const weights = new Float64Array(total);
  let at = 0;
  for (const length of lengths) {
    weights.fill(weightOf(kind, { rows, total, length, normLength }), at, at + length);
    at += length;
  }
  return weights;
}

function weightOf(
  kind: Aggregation,
  { rows, total, length, normLength }: { rows: number; total: number; length: number; normLength: number },
): number {
  switch (kind) {
    case "token_mean":
      return 1 / total;
    case "seq_mean_token_mean":
      return 1 / (rows * length);
    case "seq_mean_token_sum":
      return 1 / rows;
    case "seq_mean_token_sum_norm":
      return 1 / (rows * normLength);
  }
}

/** Σ weight · x: the aggregate of per-token numbers on the host, in the order of the tokens. */
export function aggregate(kind: Aggregation, rows: Rows, options: AggregationOptions = {}): number {
  const weights = aggregationWeights(kind, rows.map((row) => row.length), options);
  return flatten(rows).reduce((sum, x, i) => sum + weights[i]! * x, 0);
}
