/** Settings and results of the three kinds of cases. @module */
import type { Ceilings } from "./ceilings.ts";
import type { ShapeName } from "./shapes.ts";

/** Kinds of cases. */
export const KINDS = ["train", "generate", "iteration"] as const;

/** A kind of case. */
export type Kind = (typeof KINDS)[number];

/** Settings of a case. */
export interface CaseSpec {
  readonly kind: Kind;
  readonly shape: ShapeName;
  /** rows of a train step, sequences decoded in parallel, rollouts of an iteration */
  readonly batch: number;
  /** tokens of a row, new tokens, prompt and response of a rollout */
  readonly length: number;
  /** repetitions; undefined: for a few seconds */
  readonly steps: number | undefined;
  readonly threads: number;
  /** value of --device */
  readonly device?: string;
}

/**
 * Called by a case after its first repetition: peak memory is read then, and the ceilings are built afterwards, so that
 * their memory does not count.
 */
export type WarmedUp = () => Ceilings;

/** Measurements of a case. */
export interface CaseResult {
  /** milliseconds of each step */
  readonly ms: readonly number[];
  /** tokens of one step */
  readonly tokens: number;
  /** floating point operations of one step */
  readonly flops: number;
  /** further values of the record, snake_case */
  readonly details?: Readonly<Record<string, unknown>>;
}
