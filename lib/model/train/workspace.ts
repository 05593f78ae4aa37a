/**
 * Buffers for activations, shared by all networks of the process: networks run one after the other, and no content of a
 * buffer is used after its pass. A buffer grows to the largest size that was requested.
 * @module
 */
import { TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { type Shape, sizeOf } from "@/lib/compute/tensor/tensor.ts";

const buffers = new Map<string, ArrayBuffer>();
let generation = 0;

/** Returns a number that changes when a buffer is replaced by a larger one: values over the old buffer are then invalid. */
export function workspaceGeneration(): number {
  return generation;
}

/** Returns an f32 value of `shape` over the buffer called `name`; its contents are undefined. */
export function workspaceValue(name: string, shape: Shape): TensorValue {
  const size = sizeOf(shape);
  let buffer = buffers.get(name);
  if (!buffer || buffer.byteLength < size * 4) {
    if (buffer) generation++;
    buffer = new ArrayBuffer(Math.max(4, size * 4));
    buffers.set(name, buffer);
  }
  return new TensorValue({ dtype: "f32", shape, data: new Float32Array(buffer, 0, size) });
}
