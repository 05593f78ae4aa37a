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
 * V_t = prefix_t + head_t, [R].
 * @throws {ShapeError} if the lengths differ
 */
export function residualValues(head: Row, prefix: Row): Float64Array<ArrayBuffer> {
  checkEqualLengths({ head, prefix });
  return Float64Array.from(head, (h, t) => h + prefix[t]!);
}
