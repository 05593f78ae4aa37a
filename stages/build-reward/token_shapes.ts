/**
 * Primitives whose graphs take their sizes from the token ids at run time, so that one exported graph works for any number
 * of rows of any length. Shapes in the trace are those of an example batch; only the nodes matter. For inference only.
 * @module
 */
import type { Value } from "@/lib/compute/autodiff/mod.ts";
import { definePrimitive, type Lowering, type Primitive } from "@/lib/compute/autodiff/primitive.ts";
import { ELEMENT_TYPE } from "@/lib/compute/tensor/dtype.ts";
import { UnsupportedOpError } from "@/lib/compute/tensor/errors.ts";
import { hostTensor, i64, sizeOf } from "@/lib/compute/tensor/tensor.ts";

/** Defines a primitive without a derivative. */
export function inferencePrimitive<P extends object>(
  rules: Pick<Primitive<P>, "name" | "abstractEval" | "lower">,
): Primitive<P> {
  return definePrimitive<P>({
    ...rules,
    vjp() {
      throw new UnsupportedOpError(
        `${rules.name} has no derivative: it is for exported graphs only`,
      );
    },
  });
}

/** Adds a node with one output and returns the output's name. */
export function emit<P>(
  { node, temporary }: Lowering<P>,
  opType: string,
  inputs: readonly string[],
  attributes: Parameters<Lowering<P>["node"]>[2] = {},
): string {
  const output = temporary();
  node(opType, inputs, attributes, { outputs: [output] });
  return output;
}

/** Returns the name of T as an i64[1], for ids [B,T]. */
export function lengthOf<P>(lowering: Lowering<P>, ids: string): string {
  const shape = emit(lowering, "Shape", [ids]);
  return emit(lowering, "Slice", [shape, lowering.ints([1]), lowering.ints([2])]);
}

/** Returns the name of 0 … T − 1 as an i64[T], for ids [B,T]. */
export function placesOf<P>(lowering: Lowering<P>, ids: string): string {
  const scalar = (n: number) => lowering.constant(i64([], [n]));
  const limit = emit(lowering, "Squeeze", [lengthOf(lowering, ids)]);
  return emit(lowering, "Range", [scalar(0), limit, scalar(1)]);
}

/** The type of one value per token of ids [B,T]: i64[B·T]. */
const perToken: Primitive<object>["abstractEval"] = (
  [ids],
) => [{ dtype: "i64", shape: [sizeOf(ids!.shape)] }];

const flatPrimitive = inferencePrimitive<object>({
  name: "flatTokens",
  abstractEval: perToken,
  lower: ({ node, inputs, ints }) => node("Reshape", [inputs[0]!, ints([-1])]),
});

const positionsPrimitive = inferencePrimitive<object>({
  name: "flatPositions",
  abstractEval: perToken,
  lower(lowering) {
    const { node, inputs: [ids], ints } = lowering, shape = emit(lowering, "Shape", [ids!]);
    node("Reshape", [emit(lowering, "Expand", [placesOf(lowering, ids!), shape]), ints([-1])]);
  },
});

const nextPrimitive = inferencePrimitive<object>({
  name: "nextTokens",
  abstractEval: perToken,
  lower(lowering) {
    const { node, inputs, ints } = lowering, far = ints([Number.MAX_SAFE_INTEGER]);
    const later = emit(lowering, "Slice", [inputs[0]!, ints([1]), far, ints([1])]);
    const padded = emit(lowering, "Pad", [later, ints([0, 0, 0, 1])], { mode: "constant" });
    node("Reshape", [padded, ints([-1])]);
  },
});

const ownPrimitive = inferencePrimitive<object>({
  name: "ofOwnTokens",
  abstractEval: ([x, ids]) => [{ dtype: x!.dtype, shape: ids!.shape }],
  lower(lowering) {
    const { node, inputs: [x, ids], ints } = lowering;
    const rows = emit(lowering, "Reshape", [x!, emit(lowering, "Shape", [ids!])]);
    const predicted = emit(lowering, "Slice", [rows, ints([0]), ints([-1]), ints([1])]);
    node("Pad", [predicted, ints([0, 1, 0, 0])], { mode: "constant" });
  },
});

const amongPrimitive = inferencePrimitive<{ readonly ids: readonly number[] }>({
  name: "isAmong",
  abstractEval: ([ids]) => [{ dtype: "f32", shape: ids!.shape }],
  lower(lowering) {
    const { node, inputs, constant, params } = lowering;
    const hits = params.ids.map((id) =>
      emit(lowering, "Equal", [inputs[0]!, constant(hostTensor("i64", [], BigInt64Array.of(BigInt(id))))])
    );
    const any = hits.reduce((a, b) => emit(lowering, "Or", [a, b]));
    node("Cast", [any], { to: ELEMENT_TYPE.f32 });
  },
});

/** Returns ids[B,T] as [B·T]. */
export function flatTokens(ids: Value): Value {
  return ids.trace.bind(flatPrimitive, [ids], {})[0]!;
}

/** Returns the position in its row of every token of ids[B,T], [B·T]. */
export function flatPositions(ids: Value): Value {
  return ids.trace.bind(positionsPrimitive, [ids], {})[0]!;
}

/** Returns the token after every token of ids[B,T], [B·T]; 0 after the last of a row. */
export function nextTokens(ids: Value): Value {
  return ids.trace.bind(nextPrimitive, [ids], {})[0]!;
}

/** Shifts x[B·T], values of the token after each, to each token itself: [B,T], 0 for the first of a row. */
export function ofOwnTokens(x: Value, ids: Value): Value {
  return x.trace.bind(ownPrimitive, [x, ids], {})[0]!;
}

/** Returns 1 where an element of ids is one of `wanted` (at least one), else 0. */
export function isAmong(ids: Value, wanted: readonly number[]): Value {
  return ids.trace.bind(amongPrimitive, [ids], { ids: wanted })[0]!;
}
