/**
 * The residual critic: the reward that earlier tokens of the response have already earned is known, so the network only has to
 * learn the rest. V_t = prefix_t + head_t, with the reward still paid at the last token.
 * @module
 */
import { checkEqualLengths, type Row } from "./rows.ts";

/**
 * prefix_t = Σ_{k<t} r_k / scale: what the tokens before t have earned, in the units of the scaled reward, [R].
 *
 * With γ = 1, GAE(Σr at the last token, V) = GAE(r per token, V − prefix) for every λ: paying at the end with a residual critic has the
 * advantages of dense pay with a plain one. (Potential-based shaping, Ng et al. 1999, with the prefix as potential and 0 at the end.)
 *
 * @param tokenRewards r, [R]; nats
 * @param scale what divides the response's reward, above 0; default 1
 * @throws {RangeError} if `scale` is not a positive finite number
 * @example The first token has no prefix
 * ```ts
 * import { residualPrefix } from "@/lib/rl/residual_critic.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals([...residualPrefix([1, 2, 3], 2)], [0, 0.5, 1.5]);
 * ```
 */
export function residualPrefix(tokenRewards: Row, scale = 1): Float64Array<ArrayBuffer> {
  if (!(scale > 0 && scale < Infinity)) {
    throw new RangeError(
      `Cannot scale the residual prefix as the scale must be positive and finite: ${scale}`,
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
 * V_R = Σ_k r_k / scale + head_R: the value of the state behind the last of R tokens, for a response that was cut there and is taken
 * to go on ({@linkcode gae}'s `bootstrap`).
 *
 * The reward (Σ_k r_k − centre) / scale over the whole response is paid at its end. The cut is none, so nothing of it is paid at
 * token R − 1. Seen from s_R, all that will be paid is prefix_R, which is known and counts whole, and the rest: what later tokens
 * earn, −centre / scale, and the later KL penalties. The rest is what the head is taught to say of every state, so V_R = prefix_R +
 * head_R, and (γ = 1, k the KL penalty of token R − 1)
 *
 *     δ_{R−1} = −k + V_R − V_{R−1} = −k + r_{R−1} / scale + head_R − head_{R−1},
 *
 * as for a token in the middle of a response. To pay the reward of what is there at token R − 1 as well would count prefix_R twice;
 * to take head_R alone without it would forget it. Dense pay under a plain critic has the same δ: r_{R−1} / scale is paid, V_R = head_R.
 *
 * @param head what the network says of the state behind the last token
 * @param tokenRewards r, [R]; nats
 * @param scale as {@linkcode residualPrefix}
 * @throws {RangeError} as {@linkcode residualPrefix}
 * @example It is the prefix of a further token, and the head there
 * ```ts
 * import { residualBootstrap } from "@/lib/rl/residual_critic.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(residualBootstrap(0.25, [1, 2, 3], 2), 3.25);
 * ```
 */
export function residualBootstrap(head: number, tokenRewards: Row, scale = 1): number {
  return residualPrefix([...Array.from(tokenRewards), 0], scale).at(-1)! + head;
}

/**
 * V_t = prefix_t + head_t, [R].
 * @throws {ShapeError} if the lengths differ
 */
export function residualValues(head: Row, prefix: Row): Float64Array<ArrayBuffer> {
  checkEqualLengths({ head, prefix });
  return Float64Array.from(head, (h, t) => h + prefix[t]!);
}
