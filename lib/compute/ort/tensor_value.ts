/**
 * A tensor that native code may read and write: owns the JavaScript buffer and the OrtValue over it, so that the buffer
 * is not collected while ONNX Runtime has its address.
 * @module
 */
import { type DType, ELEMENT_TYPE, type TypedArray } from "@/lib/compute/tensor/dtype.ts";
import { type HostTensor, hostTensor, type Shape } from "@/lib/compute/tensor/tensor.ts";
import { check, ortApi, outPointer } from "./api.ts";
import { ortRuntime } from "./runtime.ts";

const released = new FinalizationRegistry<bigint>((handle) =>
  ortApi().releaseValue(Deno.UnsafePointer.create(handle))
);

/** What a session's input or output may be bound to, in the memory of any device. */
export interface Tensor extends Disposable {
  readonly dtype: DType;
  readonly shape: Shape;
  /** address of the OrtValue; code that stores it must keep this object alive */
  readonly handle: bigint;
}

/** An OrtValue over a host buffer, without a copy. The garbage collector releases it unless it was disposed. */
export class TensorValue implements Tensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
  readonly #handle: bigint;

  constructor(tensor: HostTensor) {
    this.dtype = tensor.dtype;
    this.shape = tensor.shape;
    this.data = tensor.data;
    const { buffer, byteOffset, byteLength } = tensor.data;
    const out = outPointer();
    check(
      ortApi().createTensorWithData(
        ortRuntime().cpuMemory,
        new Uint8Array(buffer, byteOffset, byteLength),
        BigInt(byteLength),
        BigInt64Array.from(tensor.shape, BigInt),
        BigInt(tensor.shape.length),
        ELEMENT_TYPE[tensor.dtype],
        out,
      ),
    );
    this.#handle = out[0]!;
    released.register(this, this.#handle, this);
  }

  /** Returns a value over a new zeroed buffer. */
  static zeros(dtype: DType, shape: Shape): TensorValue {
    return new TensorValue(hostTensor(dtype, shape));
  }

  /** Address of the OrtValue, for binding. Code that stores it must keep this object alive. */
  get handle(): bigint {
    return this.#handle;
  }

  [Symbol.dispose](): void {
    if (released.unregister(this)) ortApi().releaseValue(Deno.UnsafePointer.create(this.#handle));
  }
}

/** Returns the f32 data of `value`. */
export function float32Of(value: TensorValue): Float32Array<ArrayBuffer> {
  return value.data as Float32Array<ArrayBuffer>;
}
