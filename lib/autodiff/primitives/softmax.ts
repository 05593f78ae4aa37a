/** softmax and log-softmax over the last axis. @module */
import { definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";
import { mul, sub } from "./arithmetic.ts";
import { reduceSum } from "./reduce_sum.ts";
import { exp } from "./unary.ts";

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

/** The primitive of `logSoftmax()`. */
export const logSoftmaxPrimitive = definePrimitive<object>({
  name: "logSoftmax",
  abstractEval: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  // y = x − ln Σ eˣ: dx = g − eʸ·Σ g. Only the output is saved.
  vjp({ outputs: [y], cotangents: [g] }) {
    return [sub(g!, mul(exp(y!), reduceSum(g!, [-1], { keepDims: true })))];
  },
  lower: ({ node, inputs }) => node("LogSoftmax", inputs, { axis: -1 }),
});

/** eˣ / Σ eˣ over the last axis. */
export function softmax(x: Value): Value {
  return x.trace.bind(softmaxPrimitive, [x], {})[0]!;
}
/** x − ln Σ eˣ over the last axis. */
export function logSoftmax(x: Value): Value {
  return x.trace.bind(logSoftmaxPrimitive, [x], {})[0]!;
}
