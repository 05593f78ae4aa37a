/**
 * Choosing a token from each row of probabilities, without gradients. As graphs, so that on a device the rows need not
 * cross to the processor.
 * @module
 */
import { ELEMENT_TYPE } from "@/lib/compute/tensor/dtype.ts";
import { UnsupportedOpError } from "@/lib/compute/tensor/errors.ts";
import { f32 } from "@/lib/compute/tensor/tensor.ts";
import { definePrimitive, type Lowering, requireShape } from "../primitive.ts";
import type { Aval, Value } from "../value.ts";

function withoutGradient(name: string) {
  return (): never => {
    throw new UnsupportedOpError(
      `${name} has no gradient: a token is not a differentiable function of its probabilities`,
    );
  };
}

function columnOf([x]: readonly Aval[]): Aval {
  return { dtype: "i64", shape: [x!.shape[0]!, 1] };
}

/** The primitive of `argMax()`. */
export const argMaxPrimitive = definePrimitive<object>({
  name: "argMax",
  abstractEval: (inputs) => [columnOf(inputs)],
  vjp: withoutGradient("argMax"),
  lower: ({ node, inputs }) => node("ArgMax", inputs, { axis: -1, keepdims: 1 }),
});

/** Index of the largest element of each row of x[N,V], of equals the first: i64[N,1]. */
export function argMax(x: Value): Value {
  return x.trace.bind(argMaxPrimitive, [x], {})[0]!;
}

/** The primitive of `topK()`. */
export const topKPrimitive = definePrimitive<{ k: number }>({
  name: "topK",
  abstractEval: ([x], { k }) => [
    { dtype: x!.dtype, shape: [x!.shape[0]!, k] },
    { dtype: "i64", shape: [x!.shape[0]!, k] },
  ],
  vjp: withoutGradient("topK"),
  lower: ({ node, inputs, ints, params: { k } }) => node("TopK", [inputs[0]!, ints([k])], { axis: -1 }),
});

/** The k largest elements of each row of x[N,V], in descending order, with their indices. */
export function topK(x: Value, k: number): { values: Value; ids: Value } {
  const [values, ids] = x.trace.bind(topKPrimitive, [x], { k });
  return { values: values!, ids: ids! };
}

/** Elements whose running sum is one row of a matrix product. */
const BLOCK = 128;

/** A factor below 1 by which an f32 becomes smaller, however small it is. */
const BELOW_ONE = 1 - 2 ** -22;

/** The primitive of `drawTokens()`. */
export const drawTokensPrimitive = definePrimitive<object>({
  name: "drawTokens",
  abstractEval(inputs) {
    const [p, u] = inputs, fits = p!.shape.length === 2 && u!.shape.join() === `${p!.shape[0]},1`;
    requireShape(fits, "drawTokens", "inputs must be probabilities[N,V] and numbers[N,1]", inputs);
    return [columnOf(inputs)];
  },
  vjp: withoutGradient("drawTokens"),
  lower: lowerDraw,
});

/**
 * Adds the search for the first token whose running sum exceeds u: first among blocks of 128 tokens, then inside one. A
 * running sum is a product with a triangular matrix: CumSum adds every prefix anew on some devices.
 */
function lowerDraw(lowering: Lowering<object>): void {
  const { node, inputs: [p, u], outputs, inputTypes, constant, ints, temporary } = lowering;
  const [rows, vocab] = inputTypes[0]!.shape as [number, number];
  const blocks = Math.ceil(vocab / BLOCK), padding = blocks * BLOCK - vocab;
  const step = (opType: string, operands: readonly string[], attributes = {}, to = temporary()) => {
    node(opType, operands, attributes, { outputs: [to] });
    return to;
  };
  const number = (x: number) => constant(f32([], [x]));
  const wide = padding === 0 ? p! : step("Pad", [p!, ints([0, 0, 0, padding])]);
  const cut = step("Reshape", [wide, ints([rows, blocks, BLOCK])]);
  const sums = step("ReduceSum", [cut, ints([-1])], { keepdims: 0 }); // [N,blocks]
  const block = firstAbove(lowering, { values: sums, size: blocks, goal: u! });
  const within = step("Add", [
    block.at,
    constant(f32([rows, 1], Float32Array.from({ length: rows }, (_, r) => r * blocks))),
  ]);
  const flat = step("Reshape", [step("Cast", [within], { to: ELEMENT_TYPE.i64 }), ints([-1])]);
  const own = step("Gather", [step("Reshape", [cut, ints([rows * blocks, BLOCK])]), flat], { axis: 0 }); // [N,128]
  const inside = firstAbove(lowering, { values: own, size: BLOCK, goal: block.rest });
  const id = step("Add", [step("Mul", [block.at, number(BLOCK)]), inside.at]); // f32: exact up to 2^24
  step("Cast", [step("Min", [id, number(vocab - 1)])], { to: ELEMENT_TYPE.i64 }, outputs[0]);
}

/**
 * Adds the search in each row for the first element whose running sum exceeds `goal` [N,1].
 * @returns `at`: its index as f32; `rest`: goal minus the sum of the elements before it
 */
function firstAbove(
  { node, constant, ints, temporary }: Lowering<object>,
  { values, size, goal }: { readonly values: string; readonly size: number; readonly goal: string },
): { readonly at: string; readonly rest: string } {
  const step = (opType: string, operands: readonly string[], attributes = {}) => {
    const to = temporary();
    node(opType, operands, attributes, { outputs: [to] });
    return to;
  };
  const triangle = Float32Array.from(
    { length: size * size },
    (_, k) => Math.floor(k / size) <= k % size ? 1 : 0,
  );
  const prefix = step("MatMul", [values, constant(f32([size, size], triangle))]);
  const total = step("Slice", [prefix, ints([size - 1]), ints([size]), ints([1])]);
  // If rounding leaves the sum at or below the goal, the last element that is not 0 is chosen; never one that is 0.
  const below = step("Min", [goal, step("Mul", [total, constant(f32([], [BELOW_ONE]))])]);
  const reachable = step("Max", [below, constant(f32([], [0]))]);
  const before = step("Cast", [step("LessOrEqual", [prefix, reachable])], { to: ELEMENT_TYPE.f32 });
  const at = step("ReduceSum", [before, ints([-1])], { keepdims: 1 });
  const sum = step("ReduceSum", [step("Mul", [before, values]), ints([-1])], { keepdims: 1 });
  return { at, rest: step("Sub", [reachable, sum]) };
}

/**
 * The first token of each row of probabilities[N,V] whose running sum exceeds u[N,1] in [0, 1): i64[N,1]. Sums are in f32:
 * where u is within their rounding of a boundary, the neighbouring token may be drawn.
 */
export function drawTokens(probabilities: Value, u: Value): Value {
  return probabilities.trace.bind(drawTokensPrimitive, [probabilities, u], {})[0]!;
}
