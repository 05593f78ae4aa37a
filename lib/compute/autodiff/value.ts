/**
 * Symbolic values, the primitives that compute them, and the trace that records which primitives were applied. A value
 * has a type and a place in its trace, and no memory.
 * @module
 */
import type { Attribute, OnnxNode } from "@/lib/compute/onnx/graph.ts";
import type { DType } from "@/lib/compute/tensor/dtype.ts";
import { type HostTensor, hostTensor, type Shape } from "@/lib/compute/tensor/tensor.ts";

/** A value's type. */
export interface Aval {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A symbolic tensor. */
export interface Value extends Aval {
  readonly trace: Trace;
  /** unique within its trace; its name in the ONNX graph. Generated names begin with a dot */
  readonly name: string;
}

/** Arguments of a `vjp` rule. */
export interface VjpInput<P> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** one per output; undefined where the output does not reach the loss */
  readonly cotangents: readonly (Value | undefined)[];
  readonly params: P;
}

/** What graphs may consist of: the operators of the device that runs them. */
export interface Target {
  /** Returns whether it has a correct kernel of an ONNX operator, or of a feature of it (`Operator.part`). */
  has(operator: string): boolean;
}

/** Arguments of a `lower` rule: names of its values, and functions that add nodes. */
export interface Lowering<P> {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly params: P;
  readonly inputTypes: readonly Aval[];
  readonly outputTypes: readonly Aval[];
  /** as `Target.has()`: a rule composes what the device does not have */
  has(operator: string): boolean;
  /** Adds a node. `outputs` default to the primitive's own. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    options?: { readonly domain?: OnnxNode["domain"]; readonly outputs?: readonly string[] },
  ): void;
  /** Returns a new name for an intermediate value. */
  temporary(): string;
  /** Adds a constant and returns its name. */
  constant(tensor: HostTensor): string;
  /** Adds an i64 vector as a constant and returns its name; equal vectors are one constant. */
  ints(values: readonly number[]): string;
}

/** A primitive: a name with three rules. Its parameters `P` must be plain JSON data. */
export interface Primitive<P extends object = Record<never, never>> {
  readonly name: string;
  /** Checks the types of the inputs and returns those of the outputs. */
  abstractEval(inputs: readonly Aval[], params: P): Aval[];
  /** Returns the cotangent of each input, written with other primitives; undefined for integers and where the derivative is zero everywhere. */
  vjp(input: VjpInput<P>): readonly (Value | undefined)[];
  /** Adds the ONNX nodes that compute the outputs. */
  lower(lowering: Lowering<P>): void;
}

/** One application of a primitive. */
export interface Equation {
  readonly primitive: Primitive<object>;
  readonly params: object;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

/** Records equations in the order of their creation. Equal equations are recorded once. */
export class Trace {
  readonly equations: Equation[] = [];
  readonly inputs: Value[] = [];
  /** constants by value name */
  readonly constants = new Map<string, HostTensor>();
  readonly #known = new Map<string, Equation>();
  readonly #scalars = new Map<string, Value>();
  #count = 0;

  #value(dtype: DType, shape: Shape, name = `.v${this.#count++}`): Value {
    return { trace: this, name, dtype, shape };
  }

  /** Adds an input called `name`. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const value = this.#value(dtype, shape, name);
    this.inputs.push(value);
    return value;
  }

  /** Adds a constant. */
  constant(tensor: HostTensor): Value {
    const value = this.#value(tensor.dtype, tensor.shape, `.c${this.#count++}`);
    this.constants.set(value.name, tensor);
    return value;
  }

  /** Adds a scalar constant; equal scalars are one value. */
  scalar(number: number, dtype: DType): Value {
    const key = `${dtype}:${Object.is(number, -0) ? "-0" : number}`;
    let value = this.#scalars.get(key);
    if (!value) {
      const tensor = hostTensor(dtype, []);
      tensor.data[0] = dtype === "i64" ? BigInt(number) as never : number;
      value = this.constant(tensor);
      this.#scalars.set(key, value);
    }
    return value;
  }

  /** Applies `primitive` and returns its outputs. */
  bind<P extends object>(primitive: Primitive<P>, inputs: readonly Value[], params: P): readonly Value[] {
    const key = `${primitive.name}(${inputs.map((v) => v.name).join()})${JSON.stringify(params)}`;
    const known = this.#known.get(key);
    if (known) return known.outputs;
    const outputs = primitive.abstractEval(inputs, params).map(({ dtype, shape }) =>
      this.#value(dtype, shape)
    );
    const equation = { primitive: primitive as unknown as Primitive<object>, params, inputs, outputs };
    this.equations.push(equation);
    this.#known.set(key, equation);
    return outputs;
  }
}
