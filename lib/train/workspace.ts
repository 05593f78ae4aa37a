/**
 * Buffers for activations, shared by all networks of the process: they run one after the other, and nothing in a
 * buffer outlives a step. A buffer grows to the largest size that was asked for.
 * @module
 */
import { TensorValue } from "@/lib/ort/tensor_value.ts";
import { type Shape, sizeOf } from "@/lib/tensor/tensor.ts";

const buffers = new Map<string, ArrayBuffer>();
let generation = 0;

/** Changes whenever a buffer was replaced by a larger one: values made before then are out of date. */
export function workspaceGeneration(): number {
  return generation;
}

/** An f32 value of `shape` over the buffer called `name`; its contents are undefined. */
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

/** Bytes that the workspace holds. */
export function workspaceBytes(): number {
  let total = 0;
  for (const buffer of buffers.values()) total += buffer.byteLength;
  return total;
}
