/**
 * All weights of a model in one flat array, each a view of it. Copying, clipping and the optimizer then work on one
 * vector. Matrices come first: weight decay applies to a prefix. Weights that are never trained may lie in a second
 * vector, the backbone, which many vectors share.
 * @module
 */
import { DataError } from "@/lib/tensor/errors.ts";
import { sizeOf } from "@/lib/tensor/tensor.ts";
import type { ParameterSpec } from "./model.ts";

/** What a vector may have besides its specs. */
export interface ParameterVectorOptions {
  /** taken over without a copy; zeros by default */
  readonly data?: Float32Array<ArrayBuffer>;
  /** frozen weights: `view()` finds those that the vector itself does not have */
  readonly backbone?: ParameterVector | undefined;
}

/** A flat vector with a named view for every parameter; also the layout of gradients and optimizer moments. */
export class ParameterVector {
  /** the vector's own parameters, without those of the backbone */
  readonly specs: readonly ParameterSpec[];
  readonly data: Float32Array<ArrayBuffer>;
  /** elements of the tensors of rank 2 and more, which come first and are the ones that decay */
  readonly decayed: number;
  /** frozen weights beside these; nothing may write to them */
  readonly backbone: ParameterVector | undefined;
  readonly #places = new Map<string, { readonly begin: number; readonly end: number }>();

  constructor(specs: readonly ParameterSpec[], { data, backbone }: ParameterVectorOptions = {}) {
    const isVector = (spec: ParameterSpec) => spec.shape.length < 2;
    this.specs = [...specs.filter((s) => !isVector(s)), ...specs.filter(isVector)];
    let size = 0, decayed = 0;
    for (const spec of this.specs) {
      const end = size + sizeOf(spec.shape);
      this.#places.set(spec.name, { begin: size, end });
      size = end;
      if (!isVector(spec)) decayed = size;
    }
    this.decayed = decayed;
    this.backbone = backbone;
    this.data = data ?? new Float32Array(size);
    if (this.data.length !== size) {
      throw new RangeError(
        `Cannot lay out ${size} parameters as the vector must be as long: ${this.data.length}`,
      );
    }
  }

  /** Whether the parameter is one of the vector's own. */
  has(name: string): boolean {
    return this.#places.has(name);
  }

  /**
   * The elements of one parameter; writing to it writes to the vector, or to the backbone that others share.
   * @throws {DataError} if neither has it
   */
  view(name: string): Float32Array<ArrayBuffer> {
    const place = this.#places.get(name);
    if (place) return this.data.subarray(place.begin, place.end);
    if (this.backbone) return this.backbone.view(name);
    throw new DataError(
      `Cannot find parameter "${name}" as the model must have it: it has ${this.specs.length} others`,
    );
  }

  /** A vector of the same layout with its own copy of the elements, on the same backbone. */
  clone(): ParameterVector {
    return new ParameterVector(this.specs, { data: this.data.slice(), backbone: this.backbone });
  }

  /** A zeroed vector of the same layout, without a backbone. */
  zeros(): ParameterVector {
    return new ParameterVector(this.specs);
  }
}
