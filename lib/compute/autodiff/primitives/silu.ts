/** silu(x) = x · σ(x) (Elfwing et al. 2017, arXiv:1702.03118). @module */
import { definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { sigmoid } from "./unary.ts";

/** The primitive of `silu()`. */
export const siluPrimitive = definePrimitive<object>({
  name: "silu",
  abstractEval: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  // y = xσ: y' = σ + xσ(1 − σ) = y + σ(1 − y)
  vjp({ inputs: [x], outputs: [y], cotangents: [g] }) {
    return [mul(g!, add(y!, mul(sigmoid(x!), sub(1, y!))))];
  },
  lower({ node, inputs, temporary, inputTypes }) {
    if (inputTypes[0]!.dtype !== "f64") {
      node("QuickGelu", inputs, { alpha: { float: 1 } }, { domain: "com.microsoft" }); // x·σ(αx), one pass
      return;
    }
    const s = temporary();
    node("Sigmoid", inputs, {}, { outputs: [s] });
    node("Mul", [inputs[0]!, s]);
  },
});

/** x · σ(x) */
export function silu(x: Value): Value {
  return x.trace.bind(siluPrimitive, [x], {})[0]!;
}
