/** Moving elements without arithmetic: reshape, transpose, slice, pad, concat. @module */
import { sameShape, type Shape, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { definePrimitive, requireShape } from "../primitive.ts";
import type { Value } from "../value.ts";

/** The primitive of `reshape()`. */
export const reshapePrimitive = definePrimitive<{ shape: Shape }>({
  name: "reshape",
  abstractEval([x], { shape }) {
    const same = sizeOf(x!.shape) === sizeOf(shape);
    requireShape(same, "reshape", `the new shape [${shape.join(",")}] must have as many elements`, [x!]);
    return [{ dtype: x!.dtype, shape }];
  },
  vjp: ({ inputs, cotangents }) => [reshape(cotangents[0]!, inputs[0]!.shape)],
  // 0 copies the input's dimension at the same index, so unchanged sizes are not constants of the graph.
  lower: ({ node, inputs, inputTypes: [x], ints, params: { shape } }) =>
    node("Reshape", [inputs[0]!, ints(shape.map((d, i) => d === x!.shape[i] ? 0 : d))]),
});

/** The primitive of `transpose()`. */
export const transposePrimitive = definePrimitive<{ perm: readonly number[] }>({
  name: "transpose",
  abstractEval: ([x], { perm }) => [{ dtype: x!.dtype, shape: perm.map((p) => x!.shape[p]!) }],
  vjp: ({ cotangents, params: { perm } }) => [transpose(cotangents[0]!, perm.map((_, i) => perm.indexOf(i)))],
  lower: ({ node, inputs, params }) => node("Transpose", inputs, { perm: params.perm }),
});

/** The primitive of `slice()`. */
export const slicePrimitive = definePrimitive<{ axis: number; start: number; end: number }>({
  name: "slice",
  abstractEval([x], { axis, start, end }) {
    const inside = 0 <= start && start <= end && end <= x!.shape[axis]!;
    requireShape(inside, "slice", `[${start}, ${end}) must be within axis ${axis}`, [x!]);
    return [{ dtype: x!.dtype, shape: x!.shape.map((d, i) => i === axis ? end - start : d) }];
  },
  vjp({ inputs, cotangents, params: { axis, start, end } }) {
    return [pad(cotangents[0]!, axis, start, inputs[0]!.shape[axis]! - end)];
  },
  lower: ({ node, inputs, ints, params: { axis, start, end } }) =>
    node("Slice", [inputs[0]!, ints([start]), ints([end]), ints([axis])]),
});

/** The primitive of `pad()`. */
export const padPrimitive = definePrimitive<{ axis: number; before: number; after: number }>({
  name: "pad",
  abstractEval: ([x], { axis, before, after }) => [
    { dtype: x!.dtype, shape: x!.shape.map((d, i) => i === axis ? before + d + after : d) },
  ],
  vjp({ inputs, cotangents, params: { axis, before } }) {
    return [slice(cotangents[0]!, axis, before, before + inputs[0]!.shape[axis]!)];
  },
  lower({ node, inputs, ints, inputTypes, params: { axis, before, after } }) {
    const rank = inputTypes[0]!.shape.length;
    const pads = Array.from(
      { length: 2 * rank },
      (_, i) => i === axis ? before : i === axis + rank ? after : 0,
    );
    node("Pad", [inputs[0]!, ints(pads)], { mode: "constant" });
  },
});

/** The primitive of `concat()`. */
export const concatPrimitive = definePrimitive<{ axis: number }>({
  name: "concat",
  abstractEval(inputs, { axis }) {
    const rest = (v: { shape: Shape }) => v.shape.filter((_, i) => i !== axis).join();
    const fits = inputs.every((v) =>
      rest(v) === rest(inputs[0]!) && v.shape.length === inputs[0]!.shape.length
    );
    requireShape(fits, "concat", `all dimensions but axis ${axis} must be equal`, inputs);
    const size = inputs.reduce((sum, v) => sum + v.shape[axis]!, 0);
    return [{ dtype: inputs[0]!.dtype, shape: inputs[0]!.shape.map((d, i) => i === axis ? size : d) }];
  },
  vjp({ inputs, cotangents, params: { axis } }) {
    let start = 0;
    return inputs.map((v) => slice(cotangents[0]!, axis, start, start += v.shape[axis]!));
  },
  lower: ({ node, inputs, params }) => node("Concat", inputs, { axis: params.axis }),
});

/** The elements of x in row-major order with another shape; one dimension may be −1. */
export function reshape(x: Value, shape: Shape): Value {
  const known = shape.reduce((size, d) => d === -1 ? size : size * d, 1);
  const full = shape.map((d) => d === -1 ? sizeOf(x.shape) / known : d);
  return sameShape(x.shape, full) ? x : x.trace.bind(reshapePrimitive, [x], { shape: full })[0]!;
}
/** Axis i of the result is axis perm[i] of x. */
export function transpose(x: Value, perm: readonly number[]): Value {
  return perm.every((p, i) => p === i) ? x : x.trace.bind(transposePrimitive, [x], { perm })[0]!;
}
/** Elements start … end − 1 of one axis. */
export function slice(x: Value, axis: number, start: number, end: number): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  return start === 0 && end === x.shape[at]
    ? x
    : x.trace.bind(slicePrimitive, [x], { axis: at, start, end })[0]!;
}
/** Concatenates values along an axis; all other dimensions must be equal. */
export function concat(values: readonly Value[], axis: number): Value {
  const at = axis < 0 ? axis + values[0]!.shape.length : axis;
  return values.length === 1 ? values[0]! : values[0]!.trace.bind(concatPrimitive, values, { axis: at })[0]!;
}
/** Adds zeros before and after the elements of one axis. */
export function pad(x: Value, axis: number, before: number, after: number): Value {
  const at = axis < 0 ? axis + x.shape.length : axis;
  return before + after === 0 ? x : x.trace.bind(padPrimitive, [x], { axis: at, before, after })[0]!;
}
