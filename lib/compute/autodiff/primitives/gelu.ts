/**
 * Gaussian error linear units (Hendrycks & Gimpel 2016, arXiv:1606.08415): the exact one, and its approximation by tanh,
 * each as one kernel.
 * @module
 */
import { f64 } from "@/lib/compute/tensor/tensor.ts";
import { definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { erf, exp, tanh } from "./unary.ts";

/** √(2/π) and the paper's coefficient of x³. */
const SLOPE = Math.sqrt(2 / Math.PI), CUBIC = 0.044715;

/** The primitive of `gelu()`. */
export const geluPrimitive = definePrimitive<object>({
  name: "gelu",
  abstractEval: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  // y = xΦ(x), Φ(x) = ½(1 + erf(x/√2)): y' = Φ + xφ, φ(x) = e^(−x²/2)/√(2π)
  vjp({ inputs: [x], cotangents: [g] }) {
    const cumulative = mul(add(erf(mul(x!, Math.SQRT1_2)), 1), 0.5);
    const density = mul(exp(mul(mul(x!, x!), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [mul(g!, add(cumulative, mul(x!, density)))];
  },
  lower: ({ node, inputs }) => node("Gelu", inputs, {}, { domain: "com.microsoft" }),
});

/** The primitive of `geluTanh()`. */
export const geluTanhPrimitive = definePrimitive<object>({
  name: "geluTanh",
  abstractEval: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  // y = ½x(1 + t), t = tanh u, u = a(x + cx³): y' = ½(1 + t) + ½x(1 − t²)u', u' = a(1 + 3cx²)
  vjp({ inputs: [x], cotangents: [g] }) {
    const square = mul(x!, x!);
    const t = tanh(mul(x!, add(mul(square, SLOPE * CUBIC), SLOPE)));
    const bend = mul(mul(sub(1, mul(t, t)), x!), add(mul(square, 1.5 * SLOPE * CUBIC), 0.5 * SLOPE));
    return [mul(g!, add(mul(add(t, 1), 0.5), bend))];
  },
  lower({ node, inputs: [x], inputTypes, temporary, constant }) {
    if (inputTypes[0]!.dtype !== "f64") return node("FastGelu", [x!], {}, { domain: "com.microsoft" });
    const step = (op: string, operands: readonly string[]) => {
      const output = temporary();
      node(op, operands, {}, { outputs: [output] });
      return output;
    };
    const number = (value: number) => constant(f64([], [value]));
    const inner = step("Add", [
      step("Mul", [step("Mul", [x!, x!]), number(SLOPE * CUBIC)]),
      number(SLOPE),
    ]);
    const t = step("Tanh", [step("Mul", [x!, inner])]);
    node("Mul", [step("Mul", [x!, number(0.5)]), step("Add", [t, number(1)])]);
  },
});

/** x·Φ(x), Φ the cumulative distribution of the standard normal. f32 only: there is no kernel for f64. */
export function gelu(x: Value): Value {
  return x.trace.bind(geluPrimitive, [x], {})[0]!;
}
/** ½x(1 + tanh(√(2/π)(x + 0.044715x³))): within 5e-4 of `gelu()`. */
export function geluTanh(x: Value): Value {
  return x.trace.bind(geluTanhPrimitive, [x], {})[0]!;
}
