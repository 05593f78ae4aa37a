/** An ONNX graph as plain data. @module */
import type { DType } from "@/lib/compute/tensor/dtype.ts";
import type { HostTensor, Shape } from "@/lib/compute/tensor/tensor.ts";

/** Opset of the default domain. 21: later ones lose random operators on CPU and Dropout on CUDA. */
export const OPSET = 21;

/** An attribute. `{ float }` is a float in ONNX; a plain number is an integer. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

/** One application of an operator. An empty name stands for an optional input that is left out. */
export interface OnnxNode {
  readonly opType: string;
  /** "" is ai.onnx */
  readonly domain: "" | "com.microsoft";
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A graph input or output. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  /** a string is a symbolic dimension */
  readonly shape: readonly (number | string)[];
}

/** A constant inside the model. */
export interface Initializer {
  readonly name: string;
  readonly tensor: HostTensor;
}

/** A weight that is passed to the session at creation; the model declares its type only. */
export interface ExternalInitializer {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A graph; every value is computed before the nodes that use it. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: readonly Initializer[];
  readonly externals: readonly ExternalInitializer[];
}
