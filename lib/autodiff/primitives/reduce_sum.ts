/** Sums over axes. @module */
import { sizeOf } from "@/lib/tensor/tensor.ts";
import type { Shape } from "@/lib/tensor/tensor.ts";
import { definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";
import { mul } from "./arithmetic.ts";
import { broadcastTo, reshape } from "./shape.ts";

/** The primitive of `reduceSum()`. */
export const reduceSumPrimitive = definePrimitive<{ axes: readonly number[] }>({
  name: "reduceSum",
  // The summed axes stay as 1: callers that want them gone reshape.
  abstractEval: (
    [x],
    { axes },
  ) => [{ dtype: x!.dtype, shape: x!.shape.map((d, i) => axes.includes(i) ? 1 : d) }],
  vjp: ({ inputs, cotangents }) => [broadcastTo(cotangents[0]!, inputs[0]!.shape)],
  lower: ({ node, inputs, ints, params }) =>
    node("ReduceSum", [inputs[0]!, ints(params.axes)], { keepdims: 1 }),
});

/** Σ over `axes` (negative ones count from the end; all by default). */
export function reduceSum(x: Value, axes?: readonly number[], options: { keepDims?: boolean } = {}): Value {
  const rank = x.shape.length;
  const over = (axes ?? x.shape.map((_, i) => i)).map((a) => a < 0 ? a + rank : a);
  const sum = over.length === 0 ? x : x.trace.bind(reduceSumPrimitive, [x], { axes: over })[0]!;
  return options.keepDims ? sum : reshape(sum, x.shape.filter((_, i) => !over.includes(i)));
}

/** The mean over `axes`. */
export function reduceMean(x: Value, axes?: readonly number[], options: { keepDims?: boolean } = {}): Value {
  const sum = reduceSum(x, axes, options);
  return mul(sum, sizeOf(sum.shape) / sizeOf(x.shape));
}

/** The transpose of broadcasting: sums `x` down to `shape`. */
export function sumTo(x: Value, shape: Shape): Value {
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((d, i) => i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []);
  return reshape(reduceSum(x, axes, { keepDims: true }), shape);
}
