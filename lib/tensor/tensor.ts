/** Shapes and plain host tensors: row-major, no strides, no behaviour. @module */
import { allocate, type DType, type TypedArray } from "./dtype.ts";
import { ShapeError } from "./errors.ts";

/** Dimensions, outermost first; [] is a scalar. */
export type Shape = readonly number[];

/** A value in host memory. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

/** Number of elements of `shape`. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const d of shape) size *= d;
  return size;
}

/** True where both shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** `f32[2,3]`, as error messages and printed graphs show a type. */
export function showType(dtype: DType, shape: Shape): string {
  return `${dtype}[${shape.join(",")}]`;
}

/**
 * A host tensor over `data` without a copy, or zeroed where `data` is left out.
 * @throws {ShapeError} if the length is not that of the shape
 */
export function hostTensor(dtype: DType, shape: Shape, data?: TypedArray): HostTensor {
  const size = sizeOf(shape);
  const array = data ?? allocate(dtype, size);
  if (array.length !== size) {
    throw new ShapeError(
      `Cannot make a ${showType(dtype, shape)} as it needs ${size} elements: ${array.length} are given`,
      { expected: size, actual: array.length },
    );
  }
  return { dtype, shape, data: array };
}

/** A host tensor of f32 from plain numbers. */
export function f32(shape: Shape, values: ArrayLike<number>): HostTensor {
  return hostTensor("f32", shape, Float32Array.from(values));
}

/** A host tensor of f64 from plain numbers. */
export function f64(shape: Shape, values: ArrayLike<number>): HostTensor {
  return hostTensor("f64", shape, Float64Array.from(values));
}

/** A host tensor of i64 from plain integers. */
export function i64(shape: Shape, values: Iterable<number>): HostTensor {
  return hostTensor("i64", shape, BigInt64Array.from(values, BigInt));
}
