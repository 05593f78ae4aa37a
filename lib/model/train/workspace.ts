/**
 * Buffers for activations, shared by all networks of the process: networks run one after the other, and no content of a
 * buffer is used after its pass. A buffer grows to the largest size that was requested.
 * @module
 */
import type { Place } from "@/lib/compute/ort/place.ts";
import { type Tensor, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { type Shape, sizeOf } from "@/lib/compute/tensor/tensor.ts";

const buffers = new Map<string, ArrayBuffer>();
let generation = 0;

interface DeviceBuffer {
  readonly tensor: Tensor;
  readonly size: number;
}

const deviceBuffers = new WeakMap<Place, Map<string, DeviceBuffer>>();

/** Returns a number that changes when a buffer is replaced by a larger one: values over the old buffer are then invalid. */
export function workspaceGeneration(): number {
  return generation;
}

/** Returns an f32 tensor of `shape` at a place, over its buffer called `name`; its contents are undefined. */
export function workspaceTensor(place: Place, name: string, shape: Shape): Tensor {
  if (place.isHost) return workspaceValue(name, shape);
  const size = Math.max(1, sizeOf(shape)),
    buffers = deviceBuffers.get(place) ?? new Map<string, DeviceBuffer>();
  deviceBuffers.set(place, buffers);
  let buffer = buffers.get(name);
  if (!buffer || buffer.size < size) {
    if (buffer) generation++;
    buffers.set(name, buffer = { tensor: place.empty("f32", [size]), size });
  }
  return place.view(buffer.tensor, 0, shape);
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
