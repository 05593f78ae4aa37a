/**
 * What a primitive is: a name with three rules. `abstractEval` gives the types of the outputs (and checks those of the
 * inputs), `vjp` the cotangents of the inputs, written with other primitives, and `lower` the ONNX nodes.
 * @module
 */
import type { DType } from "@/lib/tensor/dtype.ts";
import { ShapeError } from "@/lib/tensor/errors.ts";
import { type HostTensor, type Shape, showType } from "@/lib/tensor/tensor.ts";
import type { Attribute, OnnxNode } from "@/lib/onnx/graph.ts";
import type { Aval, Value } from "./value.ts";

/** What a `vjp` rule gets. */
export interface VjpInput<P> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** one per output; undefined where the output does not reach the loss */
  readonly cotangents: readonly (Value | undefined)[];
  readonly params: P;
}

/** What a `lower` rule gets: names of its values, and ways to add nodes. */
export interface Lowering<P> {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly params: P;
  readonly inputTypes: readonly Aval[];
  readonly outputTypes: readonly Aval[];
  /** Adds a node. `outputs` default to the primitive's own. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    options?: { readonly domain?: OnnxNode["domain"]; readonly outputs?: readonly string[] },
  ): void;
  /** A fresh name for an intermediate. */
  temporary(): string;
  /** The name of a constant; equal small integer vectors are shared. */
  constant(tensor: HostTensor): string;
  /** The name of an i64 vector. */
  ints(values: readonly number[]): string;
}

/** A primitive with parameters of type `P`, which must be plain JSON data. */
export interface Primitive<P extends object = Record<never, never>> {
  readonly name: string;
  abstractEval(inputs: readonly Aval[], params: P): Aval[];
  /** The cotangent of each input; undefined where it has none (integers, or the derivative is zero everywhere). */
  vjp(input: VjpInput<P>): readonly (Value | undefined)[];
  lower(lowering: Lowering<P>): void;
}

/** Keeps the type of the parameters. */
export function definePrimitive<P extends object = Record<never, never>>(
  primitive: Primitive<P>,
): Primitive<P> {
  return primitive;
}

/** NumPy's broadcast of two shapes. @throws {ShapeError} if they do not fit */
export function broadcastShapes(op: string, a: Aval, b: Aval): Shape {
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a.shape[a.shape.length - rank + i] ?? 1, y = b.shape[b.shape.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(
        `Cannot ${op} a and b as their shapes must broadcast: a is ${showType(a.dtype, a.shape)}, b is ` +
          showType(b.dtype, b.shape),
        { op, expected: a.shape, actual: b.shape },
      );
    }
    return Math.max(x, y);
  });
}

/** @throws {ShapeError} unless `condition` holds; `requirement` says what must hold */
export function requireShape(
  condition: boolean,
  op: string,
  requirement: string,
  values: readonly Aval[],
): void {
  if (condition) return;
  const actual = values.map((v, i) => `input ${i} is ${showType(v.dtype, v.shape)}`).join(", ");
  throw new ShapeError(`Cannot ${op} as ${requirement}: ${actual}`, {
    op,
    actual: values.map((v) => v.shape),
  });
}

/** `shape` with `axis` (may be negative) replaced by `size`. */
export function withAxis(shape: Shape, axis: number, size: number): Shape {
  const at = axis < 0 ? axis + shape.length : axis;
  return shape.map((d, i) => i === at ? size : d);
}

/** Element types that carry gradients. */
export function isFloat(dtype: DType): boolean {
  return dtype === "f32" || dtype === "f64" || dtype === "f16" || dtype === "bf16";
}
