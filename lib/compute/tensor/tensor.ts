/** Shapes and plain host tensors: row-major, without strides. @module */
import { allocate, type DType, type TypedArray } from "./dtype.ts";
import { ShapeError } from "./errors.ts";

/** Dimensions, outermost first; [] for a scalar. */
export type Shape = readonly number[];

/** A tensor in host memory. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

/** Returns the number of elements of `shape`. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const d of shape) size *= d;
  return size;
}

/** Returns whether both shapes are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Returns a type as error messages show it, for example `f32[2,3]`. */
export function showType(dtype: DType, shape: Shape): string {
  return `${dtype}[${shape.join(",")}]`;
}

/**
 * Returns a host tensor over `data` without copying it, or a tensor of zeros without `data`.
 * @throws {ShapeError} if the length does not match the shape
 */
export function hostTensor(dtype: DType, shape: Shape, data?: TypedArray): HostTensor {
  const size = sizeOf(shape);
  const array = data ?? allocate(dtype, size);
  if (array.length !== size) {
    throw new ShapeError(
      `${showType(dtype, shape)} needs ${size} elements, got ${array.length}`,
      { expected: size, actual: array.length },
    );
  }
  return { dtype, shape, data: array };
}

/** Returns a host tensor of f32 from plain numbers. */
export function f32(shape: Shape, values: ArrayLike<number>): HostTensor {
  return hostTensor("f32", shape, Float32Array.from(values));
}

/** Returns a host tensor of f64 from plain numbers. */
export function f64(shape: Shape, values: ArrayLike<number>): HostTensor {
  return hostTensor("f64", shape, Float64Array.from(values));
}

/** Returns a host tensor of i64 from plain integers. */
export function i64(shape: Shape, values: Iterable<number>): HostTensor {
  return hostTensor("i64", shape, BigInt64Array.from(values, BigInt));
}
