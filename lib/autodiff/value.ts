/**
 * Symbolic values and the trace that records how they are made. Tracing is pure bookkeeping: a value holds a type and
 * a place in its trace, never memory.
 * @module
 */
import type { DType } from "@/lib/tensor/dtype.ts";
import { type HostTensor, hostTensor, type Shape } from "@/lib/tensor/tensor.ts";
import type { Primitive } from "./primitive.ts";

/** A value's type. */
export interface Aval {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A symbolic tensor. */
export interface Value extends Aval {
  readonly trace: Trace;
  /** unique within its trace; the name in emitted graphs. Names that a trace gives begin with a dot */
  readonly name: string;
}

/** One application of a primitive. */
export interface Equation {
  readonly primitive: Primitive<object>;
  readonly params: object;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

/** Records equations in the order in which they are made. Equal equations are recorded once. */
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

  /** A value that is given from outside under `name`. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const value = this.#value(dtype, shape, name);
    this.inputs.push(value);
    return value;
  }

  /** A value that is part of the graph. */
  constant(tensor: HostTensor): Value {
    const value = this.#value(tensor.dtype, tensor.shape, `.c${this.#count++}`);
    this.constants.set(value.name, tensor);
    return value;
  }

  /** A scalar constant; equal ones are one value. */
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

  /** Applies `primitive` and gives its outputs. */
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
