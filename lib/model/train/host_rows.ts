/** Rows by index in the processor's memory: copied, and gradients added one after the other. @module */
import { float32Of, type Tensor, type TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { embed, embedBackward } from "./embedding.ts";
import type { RowOperations } from "./row_operations.ts";

/** The row operations of the processor. */
export const HOST_ROWS: RowOperations = {
  embed: (tables, { host }, batch, x) => embed(tables, host, batch, dataOf(x)),
  embedBackward: (tables, { host }, batch, dx) => embedBackward(tables, host, batch, dataOf(dx)),
  gather(from, positions, to) {
    const width = to.shape[1]!, source = dataOf(from), target = dataOf(to);
    for (let i = 0; i < positions.length; i++) {
      const begin = positions[i]! * width;
      target.set(source.subarray(begin, begin + width), i * width);
    }
    target.fill(0, positions.length * width);
  },
  scatter(from, positions, to, isFirst) {
    const width = to.shape[1]!, source = dataOf(from), target = dataOf(to);
    if (isFirst) target.fill(0);
    for (let i = 0; i < positions.length; i++) {
      target.set(source.subarray(i * width, (i + 1) * width), positions[i]! * width);
    }
  },
};

function dataOf(tensor: Tensor): Float32Array<ArrayBuffer> {
  return float32Of(tensor as TensorValue);
}
