/** Tensors in a device's memory. @module */
import { BYTES, type DType } from "@/lib/compute/tensor/dtype.ts";
import { type Shape, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { check, ortApi, outPointer, type Pointer } from "./api.ts";
import type { Tensor } from "./tensor_value.ts";

/** Called with the bytes of an allocation that was released. */
type OnRelease = (bytes: number) => void;

interface Held {
  readonly handle: bigint;
  readonly bytes: number;
  readonly onRelease: OnRelease | undefined;
}

const released = new FinalizationRegistry<Held>(release);

function release({ handle, bytes, onRelease }: Held): void {
  ortApi().releaseValue(Deno.UnsafePointer.create(handle));
  onRelease?.(bytes);
}

/** An OrtValue in a device's memory. The garbage collector releases it unless it was disposed. */
export class DeviceTensor implements Tensor {
  readonly #held: Held;

  /** @param owner of the memory, which a view keeps alive */
  constructor(
    readonly handle: bigint,
    readonly dtype: DType,
    readonly shape: Shape,
    { owner, onRelease }: { readonly owner?: DeviceTensor; readonly onRelease?: OnRelease } = {},
  ) {
    this.owner = owner;
    this.#held = { handle, bytes: sizeOf(shape) * BYTES[dtype], onRelease };
    released.register(this, this.#held, this);
  }

  /** tensor whose memory this one is a view of; undefined: its own */
  readonly owner: DeviceTensor | undefined;

  [Symbol.dispose](): void {
    if (released.unregister(this)) release(this.#held);
  }
}

/** Returns the native address or handle of a tensor's memory, which another tensor may be created over. */
export function tensorAddress(handle: bigint): Pointer {
  const out = outPointer();
  check(ortApi().getTensorMutableData(Deno.UnsafePointer.create(handle), out));
  return Deno.UnsafePointer.create(out[0]!);
}
