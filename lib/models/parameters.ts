/**
 * All weights of a model in one flat array, each a view of it. Copying, clipping and the optimizer then work on one
 * vector. Matrices come first: weight decay applies to a prefix.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";
import { sizeOf } from "@/lib/tensor/tensor.ts";
import type { ParameterSpec } from "./model.ts";

/** A flat vector with a named view for every parameter; also the layout of gradients and optimizer moments. */
export class ParameterVector {
  readonly specs: readonly ParameterSpec[];
  readonly data: Float32Array<ArrayBuffer>;
  /** elements of the tensors of rank 2 and more, which come first and are the ones that decay */
  readonly decayed: number;
  readonly #offsets = new Map<string, number>();

  /** @param data taken over without a copy; zeros by default */
  constructor(specs: readonly ParameterSpec[], data?: Float32Array<ArrayBuffer>) {
    const isVector = (spec: ParameterSpec) => spec.shape.length < 2;
    this.specs = [...specs.filter((s) => !isVector(s)), ...specs.filter(isVector)];
    let size = 0, decayed = 0;
    for (const spec of this.specs) {
      this.#offsets.set(spec.name, size);
      size += sizeOf(spec.shape);
      if (!isVector(spec)) decayed = size;
    }
    this.decayed = decayed;
    this.data = data ?? new Float32Array(size);
    if (this.data.length !== size) {
      throw new RangeError(
        `Cannot lay out ${size} parameters as the vector must be as long: ${this.data.length}`,
      );
    }
  }

  /** The elements of one parameter; writing to it writes to the vector. */
  view(name: string): Float32Array<ArrayBuffer> {
    const offset = this.#offsets.get(name);
    const spec = this.specs.find((s) => s.name === name);
    if (offset === undefined || !spec) {
      throw new DataError(
        `Cannot find parameter "${name}" as the model must have it: it has ${this.specs.length} others`,
      );
    }
    return this.data.subarray(offset, offset + sizeOf(spec.shape));
  }

  /** A vector of the same layout with its own copy of the elements. */
  clone(): ParameterVector {
    return new ParameterVector(this.specs, this.data.slice());
  }

  /** A zeroed vector of the same layout. */
  zeros(): ParameterVector {
    return new ParameterVector(this.specs);
  }
}
