/** Numbers of the element types in ONNX attributes (TensorProto.DataType). @module */
import type { DType } from "@/lib/tensor/dtype.ts";

/** TensorProto.DataType by our names. */
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
