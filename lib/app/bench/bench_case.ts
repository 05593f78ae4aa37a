/** What the three kinds of cases share: what they are asked, what they are given, and what they tell. @module */
import type { Ceilings } from "./ceilings.ts";
import type { ShapeName } from "./shapes.ts";

/** Kinds of cases. */
export const KINDS = ["train", "generate", "iteration"] as const;

/** A kind of case. */
export type Kind = (typeof KINDS)[number];

/** What is measured. */
export interface CaseSpec {
  readonly kind: Kind;
  readonly shape: ShapeName;
  /** rows of a train step, sequences side by side, rollouts of an iteration */
  readonly batch: number;
  /** tokens of a row, new tokens, prompt and response of a rollout */
  readonly length: number;
  /** repetitions; undefined: as many as a few seconds hold */
  readonly steps: number | undefined;
  readonly threads: number;
}

/**
 * Called by a case when it has done everything once: what it needs in memory is known then, and the ceilings are made,
 * which would have hidden it.
 */
export type WarmedUp = () => Ceilings;

/** What a case found. */
export interface CaseResult {
  /** milliseconds of each step */
  readonly ms: readonly number[];
  /** tokens of one step */
  readonly tokens: number;
  /** floating point operations of one step */
  readonly flops: number;
  /** further figures of the record, snake_case */
  readonly details?: Readonly<Record<string, unknown>>;
}
