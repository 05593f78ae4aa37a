/** Activation functions by their names in Hugging Face configs. @module */
import {
  gelu,
  geluTanh,
  maximum,
  mul,
  sigmoid,
  silu,
  square,
  tanh,
  type Value,
} from "@/lib/compute/autodiff/mod.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";

function relu(x: Value): Value {
  return maximum(x, 0);
}

const ACTIVATIONS: Readonly<Record<string, (x: Value) => Value>> = {
  silu,
  swish: silu,
  gelu,
  gelu_python: gelu,
  gelu_new: geluTanh,
  gelu_fast: geluTanh,
  gelu_accurate: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_python_tanh: geluTanh,
  quick_gelu: (x) => mul(x, sigmoid(mul(x, 1.702))),
  relu,
  relu2: (x) => square(relu(x)),
  sigmoid,
  tanh,
};

/** Returns the activation `name`. @param field field of the config @throws {DataError} if it is not supported */
export function activation(name: string, field = "hidden_act"): (x: Value) => Value {
  const fn = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (fn) return fn;
  const known = Object.keys(ACTIVATIONS).join(", ");
  throw new DataError(`${field} must be one of ${known}, got ${JSON.stringify(name)}`);
}
