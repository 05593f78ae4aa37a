/** The largest element along the last axis, kept as 1. Used to shift, so it carries no gradient. @module */
import { definePrimitive, withAxis } from "../primitive.ts";
import type { Value } from "../value.ts";

/** The primitive of `reduceMax()`. */
export const reduceMaxPrimitive = definePrimitive<object>({
  name: "reduceMax",
  abstractEval: ([x]) => [{ dtype: x!.dtype, shape: withAxis(x!.shape, -1, 1) }],
  vjp: () => [undefined],
  lower: ({ node, inputs, ints }) => node("ReduceMax", [inputs[0]!, ints([-1])], { keepdims: 1 }),
});

/** max over the last axis, [.., n] → [.., 1]; a constant to differentiation. */
export function reduceMax(x: Value): Value {
  return x.trace.bind(reduceMaxPrimitive, [x], {})[0]!;
}
