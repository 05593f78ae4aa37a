/** How often each predictor names the better model of a pair whose better model is known. @module */
import { type Pair, type Predictor, PREDICTORS } from "./pairs.ts";

/** How often a predictor was right. */
export interface HitRate {
  readonly predictor: Predictor;
  readonly right: number;
  /** pairs for which it is defined */
  readonly n: number;
  readonly runs: number;
  /** 95 % interval of the rate, from the variance between runs; null with fewer than two */
  readonly interval: readonly [low: number, high: number] | null;
}

/** Returns the pairs whose difference in score is significant: |difference| > 1.96 standard errors. */
export function knownPairs(pairs: readonly Pair[]): Pair[] {
  return pairs.filter(({ score, stderr }) => Math.abs(score) > 1.96 * stderr);
}

/** Returns true if one of the two is SFT or continued SFT, the other a policy of a loop, and the policy is worse. */
export function isFall({ a, b, score }: Pair): boolean {
  return a.includes("@") && !b.includes("@") && score < 0;
}

/**
 * Returns how often each predictor names the better model. Pairs of one run share models, so the interval is that of a ratio over
 * runs, ± 1.96 standard errors.
 */
export function hitRates(pairs: readonly Pair[]): HitRate[] {
  return PREDICTORS.map((predictor) => {
    const decided = pairs.filter(({ by }) => by[predictor] !== null);
    const isRight = ({ by, score }: Pair) => by[predictor]! * score > 0;
    const right = decided.filter(isRight).length, n = decided.length, rate = right / n;
    const runs = [
      ...Map.groupBy(decided, ({ seed, demonstrations }) => `${seed}/${demonstrations}`).values(),
    ];
    const squares = runs.reduce((sum, own) => sum + (own.filter(isRight).length - rate * own.length) ** 2, 0);
    const stderr = Math.sqrt(squares * runs.length / (runs.length - 1)) / n;
    const interval = runs.length < 2
      ? null
      : [Math.max(0, rate - 1.96 * stderr), Math.min(1, rate + 1.96 * stderr)] as const;
    return { predictor, right, n, runs: runs.length, interval };
  });
}
