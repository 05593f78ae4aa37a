/** Adds one element per row of a matrix: y = x with y[n, ids[n]] += g[n]. @module */
import { definePrimitive } from "../primitive.ts";
import type { Value } from "../value.ts";
import { takeAlongLast } from "./gather.ts";

/** The primitive of `scatterAddLast()`. */
export const scatterAddLastPrimitive = definePrimitive<object>({
  name: "scatterAddLast",
  abstractEval: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  vjp: ({ inputs: [, ids], cotangents: [g] }) => [g!, undefined, takeAlongLast(g!, ids!)],
  lower: ({ node, inputs }) => node("ScatterElements", inputs, { axis: 1, reduction: "add" }),
});

/** x[N,V] with g[N,k] added at columns ids[N,k]. */
export function scatterAddLast(x: Value, ids: Value, g: Value): Value {
  return x.trace.bind(scatterAddLastPrimitive, [x, ids, g], {})[0]!;
}
