/** Elementwise functions of one operand: exp, log, sqrt, sigmoid, tanh, erf, abs, and the compositions square and clip. @module */
import { definePrimitive, type Primitive } from "../primitive.ts";
import type { Value } from "../value.ts";
import { div, maximum, minimum, mul, neg, sub } from "./arithmetic.ts";
import { greaterEqual } from "./compare.ts";

/** dx from the cotangent g, the operand x and the result y. */
type Rule = (g: Value, x: Value, y: Value) => Value;

function unary(name: string, opType: string, rule: Rule): Primitive<object> {
  return definePrimitive<object>({
    name,
    abstractEval: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    vjp: ({ inputs, outputs, cotangents }) => [rule(cotangents[0]!, inputs[0]!, outputs[0]!)],
    lower: ({ node, inputs }) => node(opType, inputs),
  });
}

/** The primitive of `exp()`. */
export const expPrimitive = unary("exp", "Exp", (g, _x, y) => mul(g, y));
/** The primitive of `log()`. */
export const logPrimitive = unary("log", "Log", (g, x) => div(g, x));
// d√x = dx / (2√x)
/** The primitive of `sqrt()`. */
export const sqrtPrimitive = unary("sqrt", "Sqrt", (g, _x, y) => div(mul(g, 0.5), y));
// σ' = σ(1 − σ)
/** The primitive of `sigmoid()`. */
export const sigmoidPrimitive = unary("sigmoid", "Sigmoid", (g, _x, y) => mul(g, mul(y, sub(1, y))));
// tanh' = 1 − tanh²
/** The primitive of `tanh()`. */
export const tanhPrimitive = unary("tanh", "Tanh", (g, _x, y) => mul(g, sub(1, mul(y, y))));
// erf'(x) = 2/√π · exp(−x²)
/** The primitive of `erf()`. */
export const erfPrimitive = unary(
  "erf",
  "Erf",
  (g, x) => mul(g, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
);
// |x|' = 1 for x ≥ 0, −1 below: 1 at the kink
/** The primitive of `abs()`. */
export const absPrimitive = unary("abs", "Abs", (g, x) => mul(g, sub(mul(greaterEqual(x, 0), 2), 1)));

function bind(primitive: Primitive<object>, x: Value): Value {
  return x.trace.bind(primitive, [x], {})[0]!;
}

/** eˣ */
export function exp(x: Value): Value {
  return bind(expPrimitive, x);
}
/** ln x */
export function log(x: Value): Value {
  return bind(logPrimitive, x);
}
/** √x */
export function sqrt(x: Value): Value {
  return bind(sqrtPrimitive, x);
}
/** 1 / (1 + e⁻ˣ) */
export function sigmoid(x: Value): Value {
  return bind(sigmoidPrimitive, x);
}
/** tanh x */
export function tanh(x: Value): Value {
  return bind(tanhPrimitive, x);
}
/** The error function. */
export function erf(x: Value): Value {
  return bind(erfPrimitive, x);
}
/** |x|; the derivative at 0 is 1. */
export function abs(x: Value): Value {
  return bind(absPrimitive, x);
}
/** x² */
export function square(x: Value): Value {
  return mul(x, x);
}
/** x limited to [low, high]; the derivative is 1 inside and at the bounds, 0 outside. */
export function clip(x: Value, low: number, high: number): Value {
  return minimum(maximum(x, low), high);
}
