/**
 * Parameters, gradients or moments in the memory of a device. On the processor they are the vector itself; on a device they
 * are a copy with a tensor for every parameter.
 * @module
 */
import type { Place } from "@/lib/compute/ort/place.ts";
import { type Tensor, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { hostTensor, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";

/** Consecutive elements that one elementwise graph updates. */
export interface VectorPart {
  readonly tensor: Tensor;
  /** whether weight decay applies to them */
  readonly decays: boolean;
}

/** Copies of frozen vectors by device: networks on one backbone share them. */
const shared = new WeakMap<Place, WeakMap<ParameterVector, PlacedVector>>();

/** Returns the copy of a vector that nothing writes to, from those that the process shares. */
export function placedCopy(place: Place, host: ParameterVector): PlacedVector {
  const known = shared.get(place) ?? new WeakMap<ParameterVector, PlacedVector>();
  shared.set(place, known);
  const vector = known.get(host) ?? new PlacedVector(place, host);
  known.set(host, vector);
  return vector;
}

/** A parameter vector at a place. */
export class PlacedVector {
  readonly #backbone: PlacedVector | undefined;
  readonly #values = new Map<string, Tensor>();

  /** @param host the same vector in the processor's memory; see `pull()` and `push()` */
  constructor(readonly place: Place, readonly host: ParameterVector) {
    this.#backbone = host.backbone && placedCopy(place, host.backbone);
  }

  /** Returns one parameter as a tensor, of the backbone where the vector has none. @throws {DataError} if neither has it */
  value(name: string): Tensor {
    if (!this.host.has(name) && this.#backbone) return this.#backbone.value(name);
    const known = this.#values.get(name);
    if (known) return known;
    const tensor = this.#hostTensor(name);
    const value = this.place.isHost ? new TensorValue(tensor) : this.place.upload(tensor);
    this.#values.set(name, value);
    return value;
  }

  /**
   * Returns all elements as vectors, those with weight decay first.
   * @param chunk most elements of a part, on the processor
   */
  parts(chunk: number): VectorPart[] {
    const { host, place } = this, { decayed, data } = host;
    if (!place.isHost) {
      return host.specs.map(({ name, shape }) => ({
        tensor: place.view(this.value(name), 0, [sizeOf(shape)]),
        decays: shape.length > 1,
      }));
    }
    const chunksOf = (start: number, end: number, decays: boolean) =>
      Array.from({ length: Math.ceil((end - start) / chunk) }, (_, i): VectorPart => {
        const from = start + i * chunk, n = Math.min(chunk, end - from);
        return { tensor: new TensorValue(hostTensor("f32", [n], data.subarray(from, from + n))), decays };
      });
    return [...chunksOf(0, decayed, true), ...chunksOf(decayed, data.length, false)];
  }

  /** Copies the elements from the device to `host`. */
  pull(): void {
    if (this.place.isHost) return;
    for (const { name } of this.host.specs) this.place.download(this.value(name), this.#hostTensor(name));
  }

  /** Copies the elements of `host` to the device. */
  push(): void {
    if (this.place.isHost) return;
    for (const { name } of this.host.specs) this.place.upload(this.#hostTensor(name), this.value(name));
  }

  /** Releases the device's memory; the vector must not be used afterwards. */
  [Symbol.dispose](): void {
    for (const value of this.#values.values()) value[Symbol.dispose]();
    this.#values.clear();
  }

  #hostTensor(name: string) {
    const { shape } = this.host.spec(name);
    return hostTensor("f32", shape, this.host.view(name));
  }
}
