/** Root mean square normalisation (Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4). @module */
import { f32, f64 } from "@/lib/compute/tensor/tensor.ts";
import { definePrimitive, requireShape, withAxis } from "../primitive.ts";
import type { Value } from "../value.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { reduceMean } from "./reduce_mean.ts";
import { sumTo } from "./reduce_sum.ts";

/** The primitive of `rmsNorm()`. */
export const rmsNormPrimitive = definePrimitive<{ epsilon: number }>({
  name: "rmsNorm",
  abstractEval([x, weight]) {
    const fits = weight!.shape.length === 1 && weight!.shape[0] === x!.shape.at(-1);
    requireShape(fits, "rmsNorm", "the weight must be as long as the last axis", [x!, weight!]);
    return [{ dtype: x!.dtype, shape: x!.shape }, { dtype: x!.dtype, shape: withAxis(x!.shape, -1, 1) }];
  },
  // s = (mean x² + ε)^−½, x̂ = x·s, y = w·x̂. With h = g·w: dx = s·(h − x̂·mean(h·x̂)), dw = Σ g·x̂.
  // s is an output too (the kernel gives it, the gradient needs it): ds/dx = −s³·x/n, which second derivatives meet.
  vjp({ inputs: [x, weight], outputs: [, scale], cotangents: [g, gScale] }) {
    const normed = mul(x!, scale!);
    const fromScale = gScale && mul(mul(gScale, mul(scale!, scale!)), mul(normed, -1 / x!.shape.at(-1)!));
    if (!g) return [fromScale, undefined];
    const h = mul(g, weight!);
    const mean = reduceMean(mul(h, normed), [-1], { keepDims: true });
    const dx = mul(sub(h, mul(normed, mean)), scale!);
    return [fromScale ? add(dx, fromScale) : dx, sumTo(mul(g, normed), weight!.shape)];
  },
  lower({ node, inputs, outputs, inputTypes: [x], params, ints, temporary, constant, has }) {
    const isWide = x!.dtype === "f64";
    if (!isWide && has("SimplifiedLayerNormalization.inv_std_var")) {
      node("SimplifiedLayerNormalization", inputs, {
        axis: -1,
        epsilon: { float: params.epsilon },
        stash_type: 1,
      });
      return;
    }
    // The kernel gives its second output as f32 only, and on some devices a wrong one: compose.
    const step = (op: string, operands: readonly string[], output = temporary()) => {
      node(op, operands, op === "ReduceMean" ? { keepdims: 1 } : {}, { outputs: [output] });
      return output;
    };
    const mean = step("ReduceMean", [step("Mul", [inputs[0]!, inputs[0]!]), ints([-1])]);
    const shifted = step("Add", [mean, constant((isWide ? f64 : f32)([], [params.epsilon]))]);
    const scale = step("Reciprocal", [step("Sqrt", [shifted])], outputs[1]);
    step("Mul", [step("Mul", [inputs[0]!, scale]), inputs[1]!], outputs[0]);
  },
});

/** w · x / √(mean(x²) + ε) over the last axis. */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  return x.trace.bind(rmsNormPrimitive, [x, weight], { epsilon })[0]!;
}
