/**
 * All weights of a model in one flat array, so that copying, clipping and the optimizer work on one vector. Matrices come
 * first: weight decay applies to a prefix. Frozen weights may be in a second vector, the backbone, which several vectors
 * share.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { sizeOf } from "@/lib/compute/tensor/tensor.ts";
import type { ParameterSpec } from "./model.ts";

/** Options of a vector. */
export interface ParameterVectorOptions {
  /** used without a copy; zeros by default */
  readonly data?: Float32Array<ArrayBuffer>;
  /** frozen weights, for parameters that the vector does not have */
  readonly backbone?: ParameterVector | undefined;
}

/** A flat vector with a named view for every parameter; also the layout of gradients and optimizer moments. */
export class ParameterVector {
  /** parameters of the vector, without those of the backbone */
  readonly specs: readonly ParameterSpec[];
  readonly data: Float32Array<ArrayBuffer>;
  /** number of elements with weight decay: tensors of rank 2 and more, which come first */
  readonly decayed: number;
  /**
   * memory of the vector that this one was read from, if another stage of this process handed it over: the two are equal
   * until this one is trained, so a device that has the other need not be given this one
   */
  origin: ArrayBuffer | undefined;
  /** frozen weights; read-only */
  readonly backbone: ParameterVector | undefined;
  readonly #places = new Map<
    string,
    { readonly spec: ParameterSpec; readonly begin: number; readonly end: number }
  >();

  constructor(specs: readonly ParameterSpec[], { data, backbone }: ParameterVectorOptions = {}) {
    const isVector = (spec: ParameterSpec) => spec.shape.length < 2;
    this.specs = [...specs.filter((s) => !isVector(s)), ...specs.filter(isVector)];
    let size = 0, decayed = 0;
    for (const spec of this.specs) {
      const end = size + sizeOf(spec.shape);
      this.#places.set(spec.name, { spec, begin: size, end });
      size = end;
      if (!isVector(spec)) decayed = size;
    }
    this.decayed = decayed;
    this.backbone = backbone;
    this.data = data ?? new Float32Array(size);
    if (this.data.length !== size) {
      throw new RangeError(`A vector of ${size} parameters must have that length, got ${this.data.length}`);
    }
  }

  /** Returns whether the vector itself has the parameter. */
  has(name: string): boolean {
    return this.#places.has(name);
  }

  /** Returns the name and shape of one parameter, also of the backbone's. @throws {DataError} if neither has it */
  spec(name: string): ParameterSpec {
    const place = this.#places.get(name);
    if (place) return place.spec;
    if (this.backbone) return this.backbone.spec(name);
    throw this.#unknown(name);
  }

  /**
   * Returns the elements of one parameter as a view of the vector, or of the shared backbone.
   * @throws {DataError} if neither has it
   */
  view(name: string): Float32Array<ArrayBuffer> {
    const place = this.#places.get(name);
    if (place) return this.data.subarray(place.begin, place.end);
    if (this.backbone) return this.backbone.view(name);
    throw this.#unknown(name);
  }

  #unknown(name: string): DataError {
    return new DataError(`Parameter "${name}" is not one of the ${this.specs.length} of this model`);
  }

  /** Returns a copy on the same backbone. */
  clone(): ParameterVector {
    return new ParameterVector(this.specs, { data: this.data.slice(), backbone: this.backbone });
  }

  /** Returns a vector of zeros with the same layout, without a backbone. */
  zeros(): ParameterVector {
    return new ParameterVector(this.specs);
  }
}
