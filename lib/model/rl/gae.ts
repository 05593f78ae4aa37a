/** Generalised advantage estimation over the tokens of one response. @module */
import { checkEqualLengths, type Row } from "./rows.ts";

/** Inputs of {@linkcode gae}; all per token of one response, [R]. */
export interface GaeInputs {
  /** r_t of token t */
  readonly rewards: Row;
  /** V_t: value of the state that predicts token t (for t = 0: after the last prompt token) */
  readonly values: Row;
  /** discount per token, in [0, 1] */
  readonly gamma: number;
  /** λ, in [0, 1] */
  readonly lambda: number;
  /**
   * value of the state after the last token. Default 0: for responses that ended, and for truncated ones that are treated as ended, whose
   * reward is in `rewards`. With a value the response continues, and `rewards` must not include that reward
   */
  readonly bootstrap?: number;
}

/** Results of {@linkcode gae}, [R] each. */
export interface AdvantageEstimate {
  /** A_t */
  readonly advantages: Float64Array<ArrayBuffer>;
  /** advantages + values, the critic's targets */
  readonly returns: Float64Array<ArrayBuffer>;
}

/**
 * Returns advantages and returns of one response.
 *
 * δ_t = r_t + γ·V_{t+1} − V_t,  A_t = δ_t + γλ·A_{t+1},  R_t = A_t + V_t; V_R = bootstrap, A_R = 0.
 * Source: Schulman et al. 2016, eq. 16 (arXiv:1506.02438).
 * Differs from the paper: episodes end with the response, and V after the end is 0 unless `bootstrap` is given. Masked positions
 * are not in the row (rows.ts), so the recursion skips them: next value and advantage are those of the next counted token.
 *
 * @throws {ShapeError} if rewards and values differ in length
 * @throws {RangeError} if γ or λ is outside [0, 1]
 * @example Three tokens, with the reward at the last
 * ```ts
 * import { gae } from "@/lib/model/rl/gae.ts";
 * import { assertEquals } from "@std/assert";
 * const { advantages, returns } = gae({ rewards: [0, 0, 1], values: [0.5, 0.5, 0.5], gamma: 1, lambda: 0.5 });
 * assertEquals([...advantages], [0.125, 0.25, 0.5]); // δ = 0, 0, 0.5; each step back halves the sum
 * assertEquals([...returns], [0.625, 0.75, 1]);
 * ```
 */
export function gae({ rewards, values, gamma, lambda, bootstrap = 0 }: GaeInputs): AdvantageEstimate {
  checkEqualLengths({ rewards, values });
  if (!(gamma >= 0 && gamma <= 1 && lambda >= 0 && lambda <= 1)) {
    throw new RangeError(
      `gamma and lambda must be in [0, 1], got gamma ${gamma}, lambda ${lambda}`,
    );
  }
  const length = rewards.length;
  const advantages = new Float64Array(length);
  const returns = new Float64Array(length);
  let nextValue = bootstrap;
  let nextAdvantage = 0;
  for (let t = length - 1; t >= 0; t--) {
    const delta = rewards[t]! + gamma * nextValue - values[t]!;
    nextAdvantage = delta + gamma * lambda * nextAdvantage;
    nextValue = values[t]!;
    advantages[t] = nextAdvantage;
    returns[t] = nextAdvantage + nextValue;
  }
  return { advantages, returns };
}
