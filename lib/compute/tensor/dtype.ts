/** Element types: names, widths, and the typed arrays that hold them. @module */

/** Supported element types. `bf16` and `f16` occur in files and on devices only. */
export type DType = "f32" | "f64" | "f16" | "bf16" | "i32" | "i64" | "u8" | "bool";

/** Typed arrays of host tensors; those of bf16 and f16 hold raw bits. */
export type TypedArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/** Bytes per element. */
export const BYTES: Readonly<Record<DType, number>> = {
  f32: 4,
  f64: 8,
  f16: 2,
  bf16: 2,
  i32: 4,
  i64: 8,
  u8: 1,
  bool: 1,
};

const ARRAYS = {
  f32: Float32Array,
  f64: Float64Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  i32: Int32Array,
  i64: BigInt64Array,
  u8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Returns an array of `length` zeros of `dtype`. */
export function allocate(dtype: DType, length: number): TypedArray {
  return new ARRAYS[dtype](length) as TypedArray;
}

/** Numbers of the types in ONNX files and in ONNX Runtime's API (onnx.proto, TensorProto.DataType). */
export const ELEMENT_TYPE: Readonly<Record<DType, number>> = {
  f32: 1,
  u8: 2,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
  f64: 11,
  bf16: 16,
};
