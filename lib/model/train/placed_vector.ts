/**
 * Parameters, gradients or moments in the memory of a device. On the processor they are the vector itself; on a device they
 * are a copy with a tensor for every parameter.
 * @module
 */
import type { Place } from "@/lib/compute/ort/place.ts";
import { type Tensor, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { hostTensor, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { zerosAt } from "./zeros.ts";

/** Consecutive elements that one elementwise graph updates. */
export interface VectorPart {
  readonly tensor: Tensor;
  /** whether weight decay applies to them */
  readonly decays: boolean;
}

/** Vectors on a device whose host is not written any more, by the memory of the host. */
const unchanging = new WeakMap<Place, WeakMap<ArrayBuffer, PlacedVector>>();

function unchangingAt(place: Place): WeakMap<ArrayBuffer, PlacedVector> {
  const known = unchanging.get(place) ?? new WeakMap<ArrayBuffer, PlacedVector>();
  unchanging.set(place, known);
  return known;
}

/** Returns the copy of a vector that nothing writes to, from those that the process shares. */
export function placedCopy(place: Place, host: ParameterVector): PlacedVector {
  if (place.isHost) return new PlacedVector(place, host);
  const known = unchangingAt(place), found = known.get(host.data.buffer);
  if (found?.isCopyOf(host)) return found;
  const vector = new PlacedVector(place, host);
  known.set(host.data.buffer, vector);
  return vector;
}

/** A parameter vector at a place. */
export class PlacedVector {
  readonly #backbone: PlacedVector | undefined;
  readonly #values = new Map<string, Tensor>();

  readonly #isZero: boolean;
  readonly #whole: PlacedVector | undefined;

  /**
   * @param host the same vector in the processor's memory; see `pull()` and `push()`
   * @param options.isZero true: the vector begins as zeros, as `host` is
   * @param options.whole vector whose tensors this one shares; see `part()`
   */
  constructor(
    readonly place: Place,
    readonly host: ParameterVector,
    { isZero = false, whole }: { readonly isZero?: boolean; readonly whole?: PlacedVector } = {},
  ) {
    this.#isZero = isZero;
    this.#whole = whole;
    this.#backbone = host.backbone && placedCopy(place, host.backbone);
  }

  /** Returns some of the parameters, with the same tensors. @param host the part of `this.host`, over the same memory */
  part(host: ParameterVector): PlacedVector {
    return host === this.host ? this : new PlacedVector(this.place, host, { whole: this });
  }

  /** Returns one parameter as a tensor, of the backbone where the vector has none. @throws {DataError} if neither has it */
  value(name: string): Tensor {
    if (!this.host.has(name) && this.#backbone) return this.#backbone.value(name);
    if (this.#whole) return this.#whole.value(name);
    const known = this.#values.get(name);
    if (known) return known;
    const value = this.#handedOver(name) ?? this.#made(name);
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

  /** Returns whether this is the vector `host`, or one over the same memory. */
  isCopyOf({ data, specs, backbone }: ParameterVector): boolean {
    const own = this.host;
    return own.data.byteOffset === data.byteOffset && own.data.length === data.length &&
      own.backbone === backbone && own.specs.every(({ name }, i) => specs[i]?.name === name);
  }

  /**
   * Keeps the vector on the device for a later stage of this process: its host was handed over and is not written any more,
   * and equals it.
   */
  keep(): void {
    if (!this.place.isHost) unchangingAt(this.place).set(this.host.data.buffer, this);
  }

  /** Takes a parameter from the kept vector that the host was read from; that one copies it again if it is still used. */
  #handedOver(name: string): Tensor | undefined {
    const { origin } = this.host;
    const kept = origin && !this.place.isHost ? unchangingAt(this.place).get(origin) : undefined;
    return kept && kept.#take(name);
  }

  #take(name: string): Tensor | undefined {
    if (this.#whole) return this.host.has(name) ? this.#whole.#take(name) : undefined;
    const value = this.#values.get(name);
    this.#values.delete(name);
    return value;
  }

  #made(name: string): Tensor {
    if (this.#isZero && !this.place.isHost) return zerosAt(this.place, this.host.spec(name).shape);
    const tensor = this.#hostTensor(name);
    return this.place.isHost ? new TensorValue(tensor) : this.place.upload(tensor);
  }

  /** Releases the device's memory, but not that of a part's tensors; the vector must not be used afterwards. */
  [Symbol.dispose](): void {
    if (this.place.isHost) return;
    for (const value of this.#values.values()) value[Symbol.dispose]();
    this.#values.clear();
  }

  #hostTensor(name: string) {
    const { shape } = this.host.spec(name);
    return hostTensor("f32", shape, this.host.view(name));
  }
}
