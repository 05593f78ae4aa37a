/** Defining primitives: shape rules that several of them share. @module */
import type { DType } from "@/lib/compute/tensor/dtype.ts";
import { ShapeError } from "@/lib/compute/tensor/errors.ts";
import { type Shape, showType } from "@/lib/compute/tensor/tensor.ts";
import type { Aval, Primitive } from "./value.ts";

export type { Lowering, Primitive, VjpInput } from "./value.ts";

/** Returns `primitive`; its type argument fixes the type of the parameters. */
export function definePrimitive<P extends object = Record<never, never>>(
  primitive: Primitive<P>,
): Primitive<P> {
  return primitive;
}

/** Returns NumPy's broadcast of two shapes. @throws {ShapeError} if they cannot be broadcast */
export function broadcastShapes(op: string, a: Aval, b: Aval): Shape {
  const rank = Math.max(a.shape.length, b.shape.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a.shape[a.shape.length - rank + i] ?? 1, y = b.shape[b.shape.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(
        `${op}: shapes must broadcast, got ${showType(a.dtype, a.shape)} and ${showType(b.dtype, b.shape)}`,
        { op, expected: a.shape, actual: b.shape },
      );
    }
    return Math.max(x, y);
  });
}

/** Checks `condition`. @param requirement the condition in words @throws {ShapeError} if it does not hold */
export function requireShape(
  condition: boolean,
  op: string,
  requirement: string,
  values: readonly Aval[],
): void {
  if (condition) return;
  const actual = values.map((v) => showType(v.dtype, v.shape)).join(", ");
  throw new ShapeError(`${op}: ${requirement}, got ${actual}`, {
    op,
    actual: values.map((v) => v.shape),
  });
}

/** Returns `shape` with the size of `axis` (may be negative) replaced by `size`. */
export function withAxis(shape: Shape, axis: number, size: number): Shape {
  const at = axis < 0 ? axis + shape.length : axis;
  return shape.map((d, i) => i === at ? size : d);
}

/** Returns whether values of this type have gradients. */
export function isFloat(dtype: DType): boolean {
  return dtype === "f32" || dtype === "f64" || dtype === "f16" || dtype === "bf16";
}
