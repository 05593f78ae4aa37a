/** Sums over axes, and broadcasting, which is their transpose. @module */
import { sameShape, type Shape } from "@/lib/compute/tensor/tensor.ts";
import { definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";
import { reshape } from "./shape.ts";

/** The primitive of `reduceSum()`. */
export const reduceSumPrimitive = definePrimitive<{ axes: readonly number[] }>({
  name: "reduceSum",
  // The summed axes keep size 1; `reduceSum()` removes them.
  abstractEval([x], { axes }) {
    return [{ dtype: x!.dtype, shape: x!.shape.map((d, i) => axes.includes(i) ? 1 : d) }];
  },
  vjp: ({ inputs, cotangents }) => [broadcastTo(cotangents[0]!, inputs[0]!.shape)],
  lower: ({ node, inputs, ints, params }) =>
    node("ReduceSum", [inputs[0]!, ints(params.axes)], { keepdims: 1 }),
});

/** The primitive of `broadcastTo()`. */
export const broadcastToPrimitive = definePrimitive<{ shape: Shape }>({
  name: "broadcastTo",
  abstractEval: ([x], { shape }) => [{ dtype: x!.dtype, shape }],
  vjp: ({ inputs, cotangents }) => [sumTo(cotangents[0]!, inputs[0]!.shape)],
  lower: ({ node, inputs, ints, params }) => node("Expand", [inputs[0]!, ints(params.shape)]),
});

/** Σ over `axes` (negative ones count from the end; all by default). */
export function reduceSum(x: Value, axes?: readonly number[], options: { keepDims?: boolean } = {}): Value {
  const rank = x.shape.length;
  const over = (axes ?? x.shape.map((_, i) => i)).map((a) => a < 0 ? a + rank : a);
  const sum = over.length === 0 ? x : x.trace.bind(reduceSumPrimitive, [x], { axes: over })[0]!;
  return options.keepDims ? sum : reshape(sum, x.shape.filter((_, i) => !over.includes(i)));
}

/** Sums `x` to `shape`: the transpose of broadcasting. */
export function sumTo(x: Value, shape: Shape): Value {
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((d, i) => i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []);
  return reshape(reduceSum(x, axes, { keepDims: true }), shape);
}

/** x repeated along axes of size 1 and new leading axes. */
export function broadcastTo(x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : x.trace.bind(broadcastToPrimitive, [x], { shape })[0]!;
}
