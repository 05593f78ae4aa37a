/**
 * The residual critic: the reward of the tokens so far is known, so the network only has to learn the rest. V_t = prefix_t + head_t, with the
 * reward still given at the last token.
 * @module
 */
import { checkEqualLengths, type Row } from "./rows.ts";

/**
 * Returns prefix_t = Σ_{k<t} r_k / scale: the reward of the tokens before t, in units of the scaled reward, [R].
 *
 * With γ = 1, GAE(Σr at the last token, V) = GAE(r per token, V − prefix) for every λ: the reward at the end with a residual critic gives
 * the advantages of dense rewards with a plain one. (Potential-based shaping, Ng et al. 1999, with the prefix as potential and 0 at the end.)
 *
 * @param tokenRewards r, [R]; nats
 * @param scale divides the response's reward, above 0; default 1
 * @throws {RangeError} if `scale` is not a positive finite number
 * @example The first token has no prefix
 * ```ts
 * import { residualPrefix } from "@/lib/model/rl/residual_critic.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...residualPrefix([1, 2, 3], 2)], [0, 0.5, 1.5]);
 * ```
 */
export function residualPrefix(tokenRewards: Row, scale = 1): Float64Array<ArrayBuffer> {
  if (!(scale > 0 && scale < Infinity)) {
    throw new RangeError(
      `The scale of the residual prefix must be positive and finite, got ${scale}`,
    );
  }
  const prefix = new Float64Array(tokenRewards.length);
  let sum = 0;
  for (let t = 0; t < tokenRewards.length; t++) {
    prefix[t] = sum / scale;
    sum += tokenRewards[t]!;
  }
  return prefix;
}

/**
 * Returns V_R = Σ_k r_k / scale + head_R: the value of the state after the last of R tokens, for a truncated response that is taken to
 * continue ({@linkcode gae}'s `bootstrap`).
 *
 * The reward (Σ_k r_k − centre) / scale of the whole response is given at its end. A truncated response has no end, so none of it is given
 * at token R − 1. From s_R on, the sum of all rewards is prefix_R, which is known, plus the rest: the rewards of later tokens,
 * −centre / scale, and the later KL penalties. The head is trained to predict the rest at every state, so V_R = prefix_R + head_R, and
 * (γ = 1, k the KL penalty of token R − 1)
 *
 *     δ_{R−1} = −k + V_R − V_{R−1} = −k + r_{R−1} / scale + head_R − head_{R−1},
 *
 * as for a token in the middle of a response. Giving the reward of the R tokens at token R − 1 as well would count prefix_R twice; V_R = head_R
 * without it would leave it out. Dense rewards under a plain critic have the same δ: r_{R−1} / scale is given, V_R = head_R.
 *
 * @param head the network's output at the state after the last token
 * @param tokenRewards r, [R]; nats
 * @param scale as {@linkcode residualPrefix}
 * @throws {RangeError} as {@linkcode residualPrefix}
 * @example The prefix of a further token plus the head there
 * ```ts
 * import { residualBootstrap } from "@/lib/model/rl/residual_critic.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(residualBootstrap(0.25, [1, 2, 3], 2), 3.25);
 * ```
 */
export function residualBootstrap(head: number, tokenRewards: Row, scale = 1): number {
  return residualPrefix([...Array.from(tokenRewards), 0], scale).at(-1)! + head;
}

/**
 * Returns V_t = prefix_t + head_t, [R].
 * @throws {ShapeError} if the lengths differ
 */
export function residualValues(head: Row, prefix: Row): Float64Array<ArrayBuffer> {
  checkEqualLengths({ head, prefix });
  return Float64Array.from(head, (h, t) => h + prefix[t]!);
}
