/**
 * Stores keys and values of every layer for a fixed number of slots, [slots, kvHeads, capacity, headDim] each. A step runs over
 * the first `n` slots of a buffer only.
 * @module
 */
import type { Model } from "@/lib/model/models/model.ts";
import { TensorValue } from "@/lib/compute/ort/tensor_value.ts";

/** The attention kernel requires head sizes that are multiples of this. */
const HEAD_STEP = 8;

/** Returns `headDim` rounded up to a size that the attention kernel supports. */
export function paddedHeadDim(headDim: number): number {
  return Math.ceil(headDim / HEAD_STEP) * HEAD_STEP;
}

interface Layer {
  readonly kvHeads: number;
  readonly headDim: number;
  readonly key: Float32Array<ArrayBuffer>;
  readonly value: Float32Array<ArrayBuffer>;
}

/** The key/value cache. */
export class KeyValueCache {
  readonly #layers: readonly Layer[];

  constructor(model: Model, readonly slots: number, readonly capacity: number) {
    this.#layers = model.blocks.map(({ attention }) => {
      const headDim = paddedHeadDim(attention.headDim);
      const size = slots * attention.kvHeads * capacity * headDim;
      return {
        kvHeads: attention.kvHeads,
        headDim,
        key: new Float32Array(size),
        value: new Float32Array(size),
      };
    });
  }

  /** Returns the tensors `key.<layer>` and `value.<layer>` of the first `rows` slots. */
  bindings(rows: number): Record<string, TensorValue> {
    const out: Record<string, TensorValue> = {};
    this.#layers.forEach(({ kvHeads, headDim, key, value }, i) => {
      const shape = [rows, kvHeads, this.capacity, headDim], size = rows * kvHeads * this.capacity * headDim;
      out[`key.${i}`] = new TensorValue({ dtype: "f32", shape, data: key.subarray(0, size) });
      out[`value.${i}`] = new TensorValue({ dtype: "f32", shape, data: value.subarray(0, size) });
    });
    return out;
  }

  /**
   * Fills the first `count` positions of a slot in one layer from row `row` of keys and values [B, kvHeads, T, D].
   */
  write(
    layer: number,
    slot: number,
    count: number,
    from: { key: Float32Array; value: Float32Array; row: number; length: number; headDim: number },
  ): void {
    const { kvHeads, headDim, key, value } = this.#layers[layer]!;
    for (let head = 0; head < kvHeads; head++) {
      const source = (from.row * kvHeads + head) * from.length * from.headDim;
      const target = (slot * kvHeads + head) * this.capacity * headDim;
      if (from.headDim === headDim) {
        key.set(from.key.subarray(source, source + count * headDim), target);
        value.set(from.value.subarray(source, source + count * headDim), target);
        continue;
      }
      for (let t = 0; t < count; t++) { // the padding of a head stays zero
        const at = source + t * from.headDim;
        key.set(from.key.subarray(at, at + from.headDim), target + t * headDim);
        value.set(from.value.subarray(at, at + from.headDim), target + t * headDim);
      }
    }
  }

  /** Copies the first `count` positions of slot `from` to slot `to`. */
  move(from: number, to: number, count: number): void {
    for (const { kvHeads, headDim, key, value } of this.#layers) {
      for (let head = 0; head < kvHeads; head++) {
        const source = (from * kvHeads + head) * this.capacity * headDim;
        const target = (to * kvHeads + head) * this.capacity * headDim;
        key.copyWithin(target, source, source + count * headDim);
        value.copyWithin(target, source, source + count * headDim);
      }
    }
  }
}
