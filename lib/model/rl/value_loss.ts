/** PPO's value loss as a differentiable function per token. @module */
import { add, clip, maximum, mul, square, sub, type Value } from "@/lib/compute/autodiff/mod.ts";

/** Inputs of {@linkcode valueLossPerToken}, [N] each and of one float type. */
export interface ValueLossInputs {
  /** of the critic that is trained; differentiable */
  readonly values: Value;
  /** of the critic at the time of the rollouts; not differentiated, not used without a clip */
  readonly oldValues: Value;
  /** advantages + oldValues; not differentiated */
  readonly returns: Value;
}

/**
 * Returns half the squared error of every token; the caller sums weight · loss.
 *
 * ℓ = ½·max((V − R)², (clip(V, V_old − c, V_old + c) − R)²); without a clip ½·(V − R)².
 * Source: OpenAI baselines ppo2 and Ziegler et al. 2019 (code); not in Schulman et al. 2017.
 * Differs from the source: the clip is written V_old + clip(V − V_old, −c, c).
 *
 * Ties: inside the interval both branches are equal and the gradient is V − R; where the clipped branch is the larger, it is 0.
 *
 * @param options.clipRange c > 0, in units of the value; null = plain squared error
 * @returns [N]
 * @throws {RangeError} if `clipRange` is not positive
 */
export function valueLossPerToken(
  inputs: ValueLossInputs,
  options: { readonly clipRange: number | null },
): Value {
  const { values, oldValues, returns } = inputs;
  const { clipRange } = options;
  const plain = square(sub(values, returns));
  if (clipRange === null) return mul(plain, 0.5);
  if (!(clipRange > 0)) {
    throw new RangeError(`The clip range of the value must be positive or null, got ${clipRange}`);
  }
  const near = add(oldValues, clip(sub(values, oldValues), -clipRange, clipRange));
  return mul(maximum(plain, square(sub(near, returns))), 0.5); // plain first: it keeps the gradient at a tie
}
