/** Reading and writing by index: embedding rows, and one element per row of a matrix. @module */
import { UnsupportedOpError } from "@/lib/compute/tensor/errors.ts";
import { hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { definePrimitive, requireShape } from "../primitive.ts";
import type { Value } from "../value.ts";
import { reshape } from "./shape.ts";

/** The primitive of `gatherRows()`. */
export const gatherRowsPrimitive = definePrimitive<object>({
  name: "gatherRows",
  abstractEval([table, ids]) {
    const fits = table!.shape.length === 2 && ids!.shape.length === 1 && ids!.dtype === "i64";
    requireShape(fits, "gatherRows", "inputs must be a [V,C] table and i64[N] ids", [table!, ids!]);
    return [{ dtype: table!.dtype, shape: [ids!.shape[0]!, table!.shape[1]!] }];
  },
  vjp: ({ inputs: [table, ids], cotangents: [g] }) => [scatterAddRows(g!, ids!, table!.shape[0]!), undefined],
  lower: ({ node, inputs }) => node("Gather", inputs, { axis: 0 }),
});

/** The primitive of `scatterAddRows()`. */
export const scatterAddRowsPrimitive = definePrimitive<{ rows: number }>({
  name: "scatterAddRows",
  abstractEval: ([g], { rows }) => [{ dtype: g!.dtype, shape: [rows, g!.shape[1]!] }],
  vjp: ({ inputs: [, ids], cotangents: [g] }) => [gatherRows(g!, ids!), undefined],
  // ScatterElements, not ScatterND: with duplicate indices and several threads the latter loses updates on CPU.
  lower({ node, inputs: [g, ids], ints, temporary, constant, inputTypes: [gType], outputTypes: [out] }) {
    const [zeros, column, full] = [temporary(), temporary(), temporary()];
    node("ConstantOfShape", [ints(out!.shape)], {}, { outputs: [zeros] });
    const typed = out!.dtype === "f32" ? zeros : temporary();
    if (typed !== zeros) {
      node("CastLike", [zeros, constant(hostTensor(out!.dtype, [1]))], {}, { outputs: [typed] });
    }
    node("Reshape", [ids!, ints([gType!.shape[0]!, 1])], {}, { outputs: [column] });
    node("Expand", [column, ints(gType!.shape)], {}, { outputs: [full] });
    node("ScatterElements", [typed, full, g!], { axis: 0, reduction: "add" });
  },
});

/** The primitive of `takeAlongLast()`. */
export const takeAlongLastPrimitive = definePrimitive<object>({
  name: "takeAlongLast",
  abstractEval([x, ids]) {
    const fits = x!.shape.length === 2 && ids!.shape.length === 2 && ids!.shape[0] === x!.shape[0] &&
      ids!.dtype === "i64";
    requireShape(fits, "takeAlongLast", "inputs must be x[N,V] and i64[N,k] indices", [x!, ids!]);
    return [{ dtype: x!.dtype, shape: ids!.shape }];
  },
  vjp: ({ inputs: [x, ids], cotangents: [g] }) => [scatterAlongLast(g!, ids!, x!.shape[1]!), undefined],
  lower: ({ node, inputs }) => node("GatherElements", inputs, { axis: 1 }),
});

/** The primitive of `scatterAlongLast()`. */
export const scatterAlongLastPrimitive = definePrimitive<{ size: number }>({
  name: "scatterAlongLast",
  abstractEval: ([g], { size }) => [{ dtype: g!.dtype, shape: [g!.shape[0]!, size] }],
  vjp: ({ inputs: [, ids], cotangents: [g] }) => [takeAlongLast(g!, ids!), undefined],
  lower({ node, inputs: [g, ids], ints, constant, temporary, outputTypes: [out] }) {
    const zeros = temporary();
    node("Expand", [constant(hostTensor(out!.dtype, [1, 1])), ints(out!.shape)], {}, { outputs: [zeros] });
    node("ScatterElements", [zeros, ids!, g!], { axis: 1, reduction: "add" });
  },
});

/** The primitive of `addToRows()`. */
export const addToRowsPrimitive = definePrimitive<object>({
  name: "addToRows",
  abstractEval([table, ids, rows]) {
    const fits = ids!.dtype === "i64" && ids!.shape.length === 1 &&
      rows!.shape.join() === [ids!.shape[0], table!.shape[1]].join();
    requireShape(fits, "addToRows", "inputs must be a [V,C] table, i64[N] ids and [N,C] rows", [
      table!,
      ids!,
      rows!,
    ]);
    return [{ dtype: table!.dtype, shape: table!.shape }];
  },
  vjp: ({ inputs: [, ids], cotangents: [g] }) => [g!, undefined, gatherRows(g!, ids!)],
  lower({ node, inputs: [table, ids, rows], inputTypes: [, idsType], ints, temporary }) {
    const column = temporary();
    node("Reshape", [ids!, ints([idsType!.shape[0]!, 1])], {}, { outputs: [column] });
    node("ScatterND", [table!, column, rows!], { reduction: "add" });
  },
});

/** table[V,C] with row n of rows[N,C] added at ids[n]; all ids must be different. */
export function addToRows(table: Value, ids: Value, rows: Value): Value {
  return table.trace.bind(addToRowsPrimitive, [table, ids, rows], {})[0]!;
}

/** The primitive of `replaceRows()`. */
export const replaceRowsPrimitive = definePrimitive<object>({
  name: "replaceRows",
  abstractEval([table, ids, rows]) {
    const fits = ids!.dtype === "i64" && ids!.shape.length === 1 &&
      rows!.shape.join() === [ids!.shape[0], ...table!.shape.slice(1)].join();
    requireShape(fits, "replaceRows", "inputs must be a [V,..] table, i64[N] ids and [N,..] rows", [
      table!,
      ids!,
      rows!,
    ]);
    return [{ dtype: table!.dtype, shape: table!.shape }];
  },
  vjp() {
    throw new UnsupportedOpError("replaceRows has no gradient: it fills caches");
  },
  lower({ node, inputs: [table, ids, rows], inputTypes: [, idsType], ints, temporary }) {
    const column = temporary();
    node("Reshape", [ids!, ints([idsType!.shape[0]!, 1])], {}, { outputs: [column] });
    node("ScatterND", [table!, column, rows!]);
  },
});

/** table[V,..] with rows[n,..] in place of row ids[n]; where ids are equal, their rows must be equal too. */
export function replaceRows(table: Value, ids: Value, rows: Value): Value {
  return table.trace.bind(replaceRowsPrimitive, [table, ids, rows], {})[0]!;
}

/** Rows ids[n] of table[V,C] → [N,C]. */
export function gatherRows(table: Value, ids: Value): Value {
  return table.trace.bind(gatherRowsPrimitive, [table, ids], {})[0]!;
}
/** Zeros[rows,C] to which row n of g[N,C] is added at ids[n]; the transpose of gatherRows. */
export function scatterAddRows(g: Value, ids: Value, rows: number): Value {
  return g.trace.bind(scatterAddRowsPrimitive, [g, ids], { rows })[0]!;
}
/** x[n, ids[n,k]] → [N,k]; ids[N] gives [N]. */
export function takeAlongLast(x: Value, ids: Value): Value {
  if (ids.shape.length === 2) return x.trace.bind(takeAlongLastPrimitive, [x, ids], {})[0]!;
  const column = reshape(ids, [ids.shape[0]!, 1]);
  return reshape(x.trace.bind(takeAlongLastPrimitive, [x, column], {})[0]!, ids.shape);
}
/** Zeros[N,size] with g[n,k] added at ids[n,k]; the transpose of takeAlongLast. */
export function scatterAlongLast(g: Value, ids: Value, size: number): Value {
  return g.trace.bind(scatterAlongLastPrimitive, [g, ids], { size })[0]!;
}
