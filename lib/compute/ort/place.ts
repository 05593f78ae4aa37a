/**
 * Where tensors are and sessions run: the memory of the processor, or of a device. Other folders get memory and copies from
 * a place; none of them sees an address.
 * @module
 */
import { BYTES, type DType, ELEMENT_TYPE, type TypedArray } from "@/lib/compute/tensor/dtype.ts";
import { type HostTensor, hostTensor, type Shape, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { check, ortApi, outPointer, type Pointer, written } from "./api.ts";
import { DeviceTensor, tensorAddress } from "./device_tensor.ts";
import { CPU, type Provider } from "./provider.ts";
import { ortRuntime } from "./runtime.ts";
import { Session, type Traffic } from "./session.ts";
import { type Tensor, TensorValue } from "./tensor_value.ts";

/** y = −x for one f32, as an ONNX model: its session has the allocator of the device. */
const PROBE =
  "CAoSBXNycHBvOj8KFAoBeBIBeRoFTmVnXzAiA05lZzoAEgVwcm9iZVoPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBVCEQoNY29tLm1pY3Jvc29mdBAB";

/** Bytes that a place has allocated. */
export interface PlaceMemory {
  readonly used: number;
  readonly peak: number;
}

/** Memory and sessions of one device. */
export class Place {
  #allocator: { readonly session: Session; readonly memory: Pointer; readonly pointer: Pointer } | undefined;
  #used = 0;
  #peak = 0;
  #uploaded = 0;
  #downloaded = 0;

  constructor(readonly provider: Provider) {}

  /** true: tensors are `TensorValue`s, whose data this process reads and writes */
  get isHost(): boolean {
    return this.provider.isHost;
  }

  /** prefix of the keys of compiled graphs; empty for the processor */
  get key(): string {
    return this.isHost ? "" : `${this.provider.device}/`;
  }

  /** Returns whether the provider has a correct kernel of an operator, or of a feature of it (`Operator.part`). */
  readonly has = (operator: string): boolean => !this.provider.lacks.has(operator);

  /** Returns the bytes of all tensors of this place that were not released; 0 for the processor. */
  memory(): PlaceMemory {
    return { used: this.#used, peak: this.#peak };
  }

  /** Returns the bytes that have crossed so far, by copies and by runs with inputs or outputs on the processor. */
  traffic(): Traffic {
    return { uploaded: this.#uploaded, downloaded: this.#downloaded };
  }

  /** Counts bytes that a run copies. */
  count({ uploaded, downloaded }: Traffic): void {
    this.#uploaded += uploaded;
    this.#downloaded += downloaded;
  }

  #open() {
    if (this.#allocator) return this.#allocator;
    const model = Uint8Array.from(atob(PROBE), (c) => c.charCodeAt(0));
    const session = new Session(model, { place: this });
    const memory = outPointer(), allocator = outPointer();
    check(ortApi().createMemoryInfo(new TextEncoder().encode(`${this.provider.memory}\0`), 0, 0, 0, memory));
    check(ortApi().createAllocator(session.handle, written(memory), allocator));
    return this.#allocator = { session, memory: written(memory), pointer: written(allocator) };
  }

  /**
   * Opens the device.
   * @throws {OrtError} if there is none
   */
  open(): void {
    if (!this.isHost) this.#open();
  }

  /** Returns a tensor of undefined contents. */
  empty(dtype: DType, shape: Shape): Tensor {
    if (this.isHost) return TensorValue.zeros(dtype, shape);
    const out = outPointer(), dimensions = BigInt64Array.from(shape, BigInt);
    const { pointer } = this.#open();
    check(ortApi().createTensor(pointer, dimensions, BigInt(shape.length), ELEMENT_TYPE[dtype], out));
    this.#used += sizeOf(shape) * BYTES[dtype];
    this.#peak = Math.max(this.#peak, this.#used);
    return new DeviceTensor(out[0]!, dtype, shape, { onRelease: (bytes) => void (this.#used -= bytes) });
  }

  /** Returns a tensor of zeros. */
  zeros(dtype: DType, shape: Shape): Tensor {
    return this.isHost ? TensorValue.zeros(dtype, shape) : this.upload(hostTensor(dtype, shape));
  }

  /**
   * Returns the elements of `of` from `begin` on under another shape; the memory is shared.
   * @throws {RangeError} if the provider has no tensors that begin inside an allocation
   */
  view(of: Tensor, begin: number, shape: Shape): Tensor {
    if (of instanceof TensorValue) {
      const data = of.data.subarray(begin, begin + sizeOf(shape)) as TypedArray;
      return new TensorValue(hostTensor(of.dtype, shape, data));
    }
    const whole = of as DeviceTensor, owner = whole.owner ?? whole, bytes = BYTES[of.dtype];
    if (begin !== 0 && !this.provider.offsets) {
      throw new RangeError(`A view on ${this.provider.device} must begin at element 0, got ${begin}`);
    }
    const address = Deno.UnsafePointer.offset(tensorAddress(whole.handle)!, begin * bytes),
      out = outPointer();
    check(
      ortApi().createTensorAt(
        this.#open().memory,
        address,
        BigInt(sizeOf(shape) * bytes),
        BigInt64Array.from(shape, BigInt),
        BigInt(shape.length),
        ELEMENT_TYPE[of.dtype],
        out,
      ),
    );
    return new DeviceTensor(out[0]!, of.dtype, shape, { owner });
  }

  /** Copies a tensor of the processor's memory to this place. @param to of the same type; default: a new one */
  upload(from: HostTensor, to: Tensor = this.empty(from.dtype, from.shape)): Tensor {
    if (to instanceof TensorValue) {
      if (to.data !== from.data) (to.data as Float32Array).set(from.data as Float32Array);
      return to;
    }
    using host = new TensorValue(from);
    this.copy(host, to);
    this.#uploaded += from.data.byteLength;
    return to;
  }

  /** Copies a tensor of this place to the processor's memory. @param to of the same type; default: a new one */
  download(from: Tensor, to: HostTensor = hostTensor(from.dtype, from.shape)): HostTensor {
    if (from instanceof TensorValue) {
      if (to.data !== from.data) (to.data as Float32Array).set(from.data as Float32Array);
      return to;
    }
    using host = new TensorValue(to);
    this.copy(from, host);
    this.#downloaded += to.data.byteLength;
    return to;
  }

  /** Copies a tensor to another of the same type, in the memory of this place or of the processor. */
  copy(from: Tensor, to: Tensor): void {
    if (this.provider.memory === CPU.memory) { // ONNX Runtime copies between different memories only
      return bytesOf(to).set(bytesOf(from));
    }
    const sources = BigUint64Array.of(from.handle), targets = BigUint64Array.of(to.handle);
    check(ortApi().copyTensors(ortRuntime().env, sources, targets, null, 1n));
  }
}

/** Returns the bytes of a tensor in the processor's memory. */
function bytesOf({ handle, dtype, shape }: Tensor): Uint8Array {
  const bytes = sizeOf(shape) * BYTES[dtype], address = tensorAddress(handle);
  if (bytes === 0) return new Uint8Array(0);
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(address!, bytes));
}

/** The processor. */
export const HOST = new Place(CPU);
