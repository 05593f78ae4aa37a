/** Layer normalisation (Ba et al. 2016, arXiv:1607.06450, eq. 4). @module */
import { f64 } from "@/lib/compute/tensor/tensor.ts";
import { definePrimitive, requireShape, withAxis } from "../primitive.ts";
import type { Value } from "../value.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { reduceMean } from "./reduce_mean.ts";
import { broadcastTo, sumTo } from "./reduce_sum.ts";

/** The primitive of `layerNorm()`. */
export const layerNormPrimitive = definePrimitive<{ epsilon: number }>({
  name: "layerNorm",
  abstractEval([x, weight, bias]) {
    const fits = [weight!, bias!].every(({ shape }) => shape.length === 1 && shape[0] === x!.shape.at(-1));
    requireShape(fits, "layerNorm", "weight and bias must be as long as the last axis", [x!, weight!, bias!]);
    const perRow = { dtype: x!.dtype, shape: withAxis(x!.shape, -1, 1) };
    return [{ dtype: x!.dtype, shape: x!.shape }, perRow, perRow];
  },
  // μ = mean x, s = (mean (x − μ)² + ε)^−½, x̂ = (x − μ)·s, y = w·x̂ + b. With h = g·w:
  // dx = s·(h − mean h − x̂·mean(h·x̂)), dw = Σ g·x̂, db = Σ g.
  // μ and s are outputs too (the kernel gives them, the gradient needs them): dμ/dx = 1/n, ds/dx = −s²·x̂/n.
  vjp({ inputs: [x, weight, bias], outputs: [, mean, scale], cotangents: [g, gMean, gScale] }) {
    const normed = mul(sub(x!, mean!), scale!), share = 1 / x!.shape.at(-1)!;
    const parts: Value[] = [];
    if (gMean) parts.push(broadcastTo(mul(gMean, share), x!.shape));
    if (gScale) parts.push(mul(mul(gScale, mul(scale!, scale!)), mul(normed, -share)));
    if (g) {
      const h = mul(g, weight!), over = { keepDims: true };
      const centred = sub(h, reduceMean(h, [-1], over));
      parts.push(mul(sub(centred, mul(normed, reduceMean(mul(h, normed), [-1], over))), scale!));
    }
    return [
      parts.reduce((a, b) => add(a, b)),
      g && sumTo(mul(g, normed), weight!.shape),
      g && sumTo(g, bias!.shape),
    ];
  },
  lower({ node, inputs, outputs, inputTypes: [x], params, ints, temporary, constant }) {
    if (x!.dtype !== "f64") {
      return node("LayerNormalization", inputs, {
        axis: -1,
        epsilon: { float: params.epsilon },
        stash_type: 1,
      });
    }
    // The kernel gives mean and scale as f32 only: compose.
    const step = (op: string, operands: readonly string[], output = temporary()) => {
      node(op, operands, op === "ReduceMean" ? { keepdims: 1 } : {}, { outputs: [output] });
      return output;
    };
    const [y, mean, scale] = outputs as readonly [string, string, string];
    step("ReduceMean", [inputs[0]!, ints([-1])], mean);
    const centred = step("Sub", [inputs[0]!, mean]);
    const variance = step("ReduceMean", [step("Mul", [centred, centred]), ints([-1])]);
    const shifted = step("Add", [variance, constant(f64([], [params.epsilon]))]);
    step("Reciprocal", [step("Sqrt", [shifted])], scale);
    step("Add", [step("Mul", [step("Mul", [centred, scale]), inputs[1]!]), inputs[2]!], y);
  },
});

/** w · (x − mean x) / √(var x + ε) + b over the last axis; the variance is that of the population. */
export function layerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  return x.trace.bind(layerNormPrimitive, [x, weight, bias], { epsilon })[0]!;
}
