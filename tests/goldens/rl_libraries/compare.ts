/** Shared by the checks of verl's and TRL's goldens. @module */
import type { Value } from "@/lib/compute/autodiff/mod.ts";
import { AGGREGATIONS, aggregationWeights } from "@/lib/model/rl/aggregate.ts";
import { f64, type HostTensor } from "@/lib/compute/tensor/tensor.ts";
import { evaluateVjp } from "@/tests/support/evaluate.ts";

type Nested = number | ArrayLike<Nested>;
/** Numbers of several responses, one row each. */
export type Rows = readonly (readonly number[])[];
/** Gradients in rows. */
export type Gradients = Float64Array[];

/** Differences that were found, by the name of the golden's field: pairs of this project's value and the library's. */
export type Compared = Readonly<Record<string, readonly [actual: Nested, expected: Nested]>>;

const [TOKEN_MEAN, SEQUENCE_MEAN, SEQUENCE_SUM, CONSTANT_LENGTH] = AGGREGATIONS;

/** This project's aggregation by verl's name of it, or by TRL's `loss_type`. */
const AGGREGATION = {
  "token-mean": TOKEN_MEAN,
  "seq-mean-token-mean": SEQUENCE_MEAN,
  "seq-mean-token-sum": SEQUENCE_SUM,
  grpo: SEQUENCE_MEAN,
  bnpo: TOKEN_MEAN,
  dapo: TOKEN_MEAN,
  dr_grpo: CONSTANT_LENGTH,
} as const;

/** One of verl's or TRL's names. */
export type Reduction = keyof typeof AGGREGATION;

/** Returns the weight of every token; Dr. GRPO divides sums by a constant length. */
export function weightsOf(reduction: Reduction, rows: Rows, constantLength = 1): Float64Array {
  return aggregationWeights(AGGREGATION[reduction], rows.map((row) => row.length), constantLength);
}

/** Returns rows end to end as a tensor [N]. */
export const vector = (rows: Rows): HostTensor => f64([rows.flat().length], rows.flat());
/** Returns the sum of numbers. */
export const sum = (numbers: ArrayLike<number>): number => Array.from(numbers).reduce((a, b) => a + b, 0);

/** Returns Σ weight · loss and its gradient with respect to the first input, in rows. */
export function lossAndGradient(
  fn: (...inputs: Value[]) => Value,
  rows: readonly Rows[],
  weights: Float64Array,
): { readonly loss: number; readonly gradient: Gradients } {
  const { outputs, cotangents } = evaluateVjp(fn, rows.map(vector), {
    wrt: [0],
    cotangents: [f64([weights.length], weights)],
  });
  const loss = sum(weights.map((weight, i) => weight * Number(outputs[0]!.data[i])));
  return { loss, gradient: split(Array.from(cotangents[0]!.data, Number), rows[0]!, 1) };
}

/** Returns numbers cut into rows as long as those of `like`, each of its numbers `width` wide. */
export function split(flat: readonly number[], like: Rows, width: number): Gradients {
  let at = 0;
  return like.map((row) => Float64Array.from(flat.slice(at, at += row.length * width)));
}

/** Returns the largest |actual − expected| / max(1, |expected|); infinite where shapes differ or a number is not finite. */
export function largestDifference(actual: Nested, expected: Nested): number {
  if (typeof expected === "number") {
    const difference = typeof actual === "number" ? Math.abs(actual - expected) : Infinity;
    return Number.isFinite(difference) ? difference / Math.max(1, Math.abs(expected)) : Infinity;
  }
  if (typeof actual === "number" || actual.length !== expected.length) return Infinity;
  return Math.max(0, ...Array.from(expected, (x, i) => largestDifference(actual[i]!, x)));
}
