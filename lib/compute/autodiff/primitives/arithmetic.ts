/** Elementwise arithmetic with NumPy broadcasting: add, sub, mul, div, neg, maximum, minimum. @module */
import { DTypeError } from "@/lib/compute/tensor/errors.ts";
import { showType } from "@/lib/compute/tensor/tensor.ts";
import { broadcastShapes, definePrimitive, type Primitive, type VjpInput } from "../primitive.ts";
import type { Value } from "../value.ts";
import { greaterEqual } from "./compare.ts";
import { sumTo } from "./reduce_sum.ts";

type Rule = (input: VjpInput<object> & { a: Value; b: Value; g: Value }) => [Value, Value];

function binary(name: string, opType: string, rule: Rule): Primitive<object> {
  return definePrimitive<object>({
    name,
    abstractEval([a, b]) {
      if (a!.dtype !== b!.dtype) {
        throw new DTypeError(
          `${name}: types must be equal, got ${showType(a!.dtype, a!.shape)} and ${
            showType(b!.dtype, b!.shape)
          }`,
        );
      }
      return [{ dtype: a!.dtype, shape: broadcastShapes(name, a!, b!) }];
    },
    vjp(input) {
      const [a, b] = input.inputs as [Value, Value];
      const [da, db] = rule({ ...input, a, b, g: input.cotangents[0]! });
      return [sumTo(da, a.shape), sumTo(db, b.shape)];
    },
    lower: ({ node, inputs }) => node(opType, inputs),
  });
}

/** The primitive of `neg()`. */
export const negPrimitive = definePrimitive<object>({
  name: "neg",
  abstractEval: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  vjp: ({ cotangents: [g] }) => [neg(g!)],
  lower: ({ node, inputs }) => node("Neg", inputs),
});

/** The primitive of `add()`. */
export const addPrimitive = binary("add", "Add", ({ g }) => [g, g]);
/** The primitive of `sub()`. */
export const subPrimitive = binary("sub", "Sub", ({ g }) => [g, neg(g)]);
/** The primitive of `mul()`. */
export const mulPrimitive = binary("mul", "Mul", ({ g, a, b }) => [mul(g, b), mul(g, a)]);
// d(a/b) = da/b − (a/b)·db/b
/** The primitive of `div()`. */
export const divPrimitive = binary("div", "Div", ({ g, b, outputs }) => {
  const da = div(g, b);
  return [da, neg(mul(da, outputs[0]!))];
});
// For equal operands the whole cotangent goes to a.
/** The primitive of `maximum()`. */
export const maximumPrimitive = binary("maximum", "Max", ({ g, a, b }) => split(g, greaterEqual(a, b)));
/** The primitive of `minimum()`. */
export const minimumPrimitive = binary("minimum", "Min", ({ g, a, b }) => split(g, greaterEqual(b, a)));

function split(g: Value, toA: Value): [Value, Value] {
  const a = mul(g, toA);
  return [a, sub(g, a)];
}

/** A value, or a number that becomes a constant of the other operand's type. */
export type Operand = Value | number;

function bind(primitive: Primitive<object>, a: Operand, b: Operand): Value {
  const value = (typeof a === "number" ? b : a) as Value;
  const lift = (x: Operand) => typeof x === "number" ? value.trace.scalar(x, value.dtype) : x;
  return value.trace.bind(primitive, [lift(a), lift(b)], {})[0]!;
}

/** −x */
export function neg(x: Value): Value {
  return x.trace.bind(negPrimitive, [x], {})[0]!;
}
/** a + b */
export function add(a: Operand, b: Operand): Value {
  return bind(addPrimitive, a, b);
}
/** a − b */
export function sub(a: Operand, b: Operand): Value {
  return bind(subPrimitive, a, b);
}
/** a · b, elementwise */
export function mul(a: Operand, b: Operand): Value {
  return bind(mulPrimitive, a, b);
}
/** a / b */
export function div(a: Operand, b: Operand): Value {
  return bind(divPrimitive, a, b);
}
/** The larger of a and b; for equal operands the gradient goes to a. */
export function maximum(a: Operand, b: Operand): Value {
  return bind(maximumPrimitive, a, b);
}
/** The smaller of a and b; for equal operands the gradient goes to a. */
export function minimum(a: Operand, b: Operand): Value {
  return bind(minimumPrimitive, a, b);
}
