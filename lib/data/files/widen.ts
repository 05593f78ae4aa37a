/** Converts floating-point storage types to f32, exactly where f32 can represent the value. @module */
import type { DType } from "@/lib/compute/tensor/dtype.ts";

/** Floating-point element types. */
export type FloatDType = Extract<DType, "f64" | "f32" | "f16" | "bf16">;

/** Returns whether `dtype` is f64, f32, f16 or bf16. */
export function isFloatDType(dtype: DType): dtype is FloatDType {
  return dtype === "f32" || dtype === "bf16" || dtype === "f16" || dtype === "f64";
}

/** The f32 value of every f16 bit pattern, 256 KB; filled at first use. */
let halfTable: Float32Array<ArrayBuffer> | undefined;

/**
 * Writes the values of little-endian `bytes` of `dtype` into `into` as f32. f64 is rounded to nearest.
 * @param bytes a whole number of elements, aligned to their size
 * @param into one element for each
 */
export function widenInto(dtype: FloatDType, bytes: Uint8Array<ArrayBuffer>, into: Float32Array): void {
  const { buffer, byteOffset, byteLength } = bytes;
  switch (dtype) {
    case "f32":
      return into.set(new Float32Array(buffer, byteOffset, byteLength / 4));
    case "f64":
      return into.set(new Float64Array(buffer, byteOffset, byteLength / 8));
    case "bf16": {
      // bf16 is the upper half of an f32.
      const bits = new Uint16Array(buffer, byteOffset, byteLength / 2);
      const out = new Uint32Array(into.buffer, into.byteOffset, into.length);
      for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16;
      return;
    }
    case "f16": {
      const bits = new Uint16Array(buffer, byteOffset, byteLength / 2);
      const table = halfTable ??= Float32Array.from(
        new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer),
      );
      for (let i = 0; i < bits.length; i++) into[i] = table[bits[i]!]!;
    }
  }
}
