/**
 * How per-token losses become one number. Every aggregation is a weighted sum, so it is one weight per token: the training head adds
 * weight · loss, micro-batch by micro-batch, and the result does not depend on how the rows were batched.
 * @module
 */
import { listed } from "@/lib/compute/tensor/listed.ts";

/** Names of the aggregations, as parameters spell them. */
export const AGGREGATIONS = ["token_mean", "sequence_mean", "sequence_sum", "constant_length"] as const;

/**
 * Returns the weight of every token of an optimizer step, [N] with N = Σ lengths, rows end to end.
 *
 * token_mean 1/N · sequence_mean 1/(B·R_b) · sequence_sum 1/B · constant_length 1/(B·L), with R_b the length of the token's row.
 * Source: verl core_algos.agg_loss: token-mean, seq-mean-token-mean, seq-mean-token-sum, seq-mean-token-sum-norm; the last is Dr. GRPO's
 * (arXiv:2503.20783), with TRL's max_completion_length as L.
 *
 * @param lengths R_b of ALL rows of the step, each at least 1: B and N are global, whatever the micro-batches
 * @param constantLength L, tokens; of `constant_length` alone
 * @throws {RangeError} if a length is not a positive integer, or L is needed and not positive
 * @example Two rows of one and three tokens
 * ```ts
 * import { aggregationWeights } from "@/lib/model/rl/aggregate.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...aggregationWeights("token_mean", [1, 3])], [1 / 4, 1 / 4, 1 / 4, 1 / 4]);
 * assertEquals([...aggregationWeights("sequence_sum", [1, 3])], [1 / 2, 1 / 2, 1 / 2, 1 / 2]);
 * ```
 */
export function aggregationWeights(
  kind: typeof AGGREGATIONS[number],
  lengths: readonly number[],
  constantLength?: number | null,
): Float64Array<ArrayBuffer> {
  const bad = lengths.flatMap((length, b) =>
    Number.isInteger(length) && length > 0 ? [] : [`${length} in row ${b}`]
  );
  if (bad.length > 0) {
    throw new RangeError(`Every row must have at least one token, got ${listed(bad, { separator: ", " })}`);
  }
  if (kind === "constant_length" && !(constantLength! > 0)) {
    throw new RangeError(`The constant length must be positive, got ${constantLength}`);
  }
  const rows = lengths.length, total = lengths.reduce((a, b) => a + b, 0);
  const weightOf = {
    token_mean: () => 1 / total,
    sequence_mean: (length: number) => 1 / (rows * length),
    sequence_sum: () => 1 / rows,
    constant_length: () => 1 / (rows * constantLength!),
  }[kind];
  return Float64Array.from(lengths.flatMap((length) => new Array<number>(length).fill(weightOf(length))));
}
