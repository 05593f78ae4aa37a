/** Comparisons as 0/1 masks, and integers as numbers. Their derivatives are zero where they exist. @module */
import { ELEMENT_TYPE } from "@/lib/compute/tensor/dtype.ts";
import { broadcastShapes, definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";

/** The primitive of `greaterEqual()`. */
export const greaterEqualPrimitive = definePrimitive<object>({
  name: "greaterEqual",
  abstractEval: ([a, b]) => [{ dtype: a!.dtype, shape: broadcastShapes("greaterEqual", a!, b!) }],
  vjp: () => [undefined, undefined],
  lower({ node, inputs, temporary, outputTypes }) {
    const bool = temporary();
    node("GreaterOrEqual", inputs, {}, { outputs: [bool] });
    node("Cast", [bool], { to: ELEMENT_TYPE[outputTypes[0]!.dtype] });
  },
});

/** The primitive of `toF32()`. */
export const toF32Primitive = definePrimitive<object>({
  name: "toF32",
  abstractEval: ([x]) => [{ dtype: "f32", shape: x!.shape }],
  vjp: () => [undefined],
  lower: ({ node, inputs }) => node("Cast", inputs, { to: ELEMENT_TYPE.f32 }),
});

/** Integers as f32: exact up to 2^24. */
export function toF32(x: Value): Value {
  return x.trace.bind(toF32Primitive, [x], {})[0]!;
}

/** The primitive of `equal()`. */
export const equalPrimitive = definePrimitive<object>({
  name: "equal",
  abstractEval: ([a, b]) => [{ dtype: "f32", shape: broadcastShapes("equal", a!, b!) }],
  vjp: () => [undefined, undefined],
  lower({ node, inputs, temporary }) {
    const bool = temporary();
    node("Equal", inputs, {}, { outputs: [bool] });
    node("Cast", [bool], { to: ELEMENT_TYPE.f32 });
  },
});

/** 1 where the integers a and b are equal, else 0, as f32. */
export function equal(a: Value, b: Value): Value {
  return a.trace.bind(equalPrimitive, [a, b], {})[0]!;
}

/** 1 where a ≥ b, else 0. */
export function greaterEqual(a: Value, b: Value | number): Value {
  const right = typeof b === "number" ? a.trace.scalar(b, a.dtype) : b;
  return a.trace.bind(greaterEqualPrimitive, [a, right], {})[0]!;
}
