/** Softmax over the last axis. @module */
import { definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";
import { mul, sub } from "./arithmetic.ts";
import { reduceSum } from "./reduce_sum.ts";

/** The primitive of `softmax()`. */
export const softmaxPrimitive = definePrimitive<object>({
  name: "softmax",
  abstractEval: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  // dx = y·(g − Σ g·y)
  vjp({ outputs: [y], cotangents: [g] }) {
    const gy = mul(g!, y!);
    return [sub(gy, mul(y!, reduceSum(gy, [-1], { keepDims: true })))];
  },
  lower: ({ node, inputs }) => node("Softmax", inputs, { axis: -1 }),
});

/** eˣ / Σ eˣ over the last axis. */
export function softmax(x: Value): Value {
  return x.trace.bind(softmaxPrimitive, [x], {})[0]!;
}
