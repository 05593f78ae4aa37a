/** The settings of PPO's clipped ratio, shared by the loss and its statistics. @module */

/** Clip range of the ratio. */
export interface PolicyClip {
  /** ε below 1, in [0, 1); 0.2 in the paper */
  readonly clipLow: number;
  /** ε above 1, at least 0; equal to clipLow in the paper, larger in DAPO ("clip higher") */
  readonly clipHigh: number;
  /** c > 1: where A < 0 the loss is at most −c·A (dual clip); left out or null = off */
  readonly dualClip?: number | null;
}

/** A log-ratio is clipped to ± this before it is exponentiated, so that no ratio overflows (verl core_algos); nats. */
export const LOG_RATIO_BOUND = 20;

/** Returns clip(ratio, 1 − clipLow, 1 + clipHigh). */
export function clippedRatio(ratio: number, clip: PolicyClip): number {
  return Math.min(Math.max(ratio, 1 - clip.clipLow), 1 + clip.clipHigh);
}

/**
 * Checks the settings.
 * @throws {RangeError} naming all that are out of range
 */
export function checkPolicyClip({ clipLow, clipHigh, dualClip }: PolicyClip): void {
  const bad: string[] = [];
  if (!(clipLow >= 0 && clipLow < 1)) bad.push(`clipLow in [0, 1), got ${clipLow}`);
  if (!(clipHigh >= 0 && clipHigh < Infinity)) bad.push(`clipHigh in [0, ∞), got ${clipHigh}`);
  if (dualClip != null && !(dualClip > 1)) bad.push(`dualClip above 1, got ${dualClip}`);
  if (bad.length > 0) {
    throw new RangeError(`Invalid bounds of the policy ratio: required are ${bad.join("; ")}`);
  }
}
