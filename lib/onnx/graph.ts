/** An ONNX graph as plain data: what the emitter fills, the encoder writes and the printer shows. @module */
import type { DType } from "@/lib/tensor/dtype.ts";
import type { HostTensor, Shape } from "@/lib/tensor/tensor.ts";

/** Opset of the default domain. 21: later ones lose random operators on CPU and Dropout on CUDA. */
export const OPSET = 21;

/** An attribute. `{ float }` marks a number that is a float in ONNX although it may look like an integer. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

/** One operator application. Empty names are left-out optional inputs. */
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

/** A weight that the session is given at creation: declared here by type only. */
export interface ExternalInitializer {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A graph; nodes are in an order in which every value is made before it is used. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: readonly Initializer[];
  readonly externals: readonly ExternalInitializer[];
}
