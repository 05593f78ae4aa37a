/** Activation functions by their names in Hugging Face configs. @module */
import { add, erf, maximum, mul, silu, tanh, type Value } from "@/lib/autodiff/mod.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** ½x(1 + erf(x/√2)) (Hendrycks & Gimpel 2016, arXiv:1606.08415). */
function gelu(x: Value): Value {
  return mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));
}

/** ½x(1 + tanh(√(2/π)(x + 0.044715x³))), the same paper's approximation. */
function geluTanh(x: Value): Value {
  const inner = mul(add(x, mul(mul(mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}

const ACTIVATIONS: Readonly<Record<string, (x: Value) => Value>> = {
  silu,
  swish: silu,
  gelu,
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  relu: (x) => maximum(x, 0),
};

/** The function called `name`. @throws {DataError} if it is not known */
export function activation(name: string): (x: Value) => Value {
  const fn = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (fn) return fn;
  const known = Object.keys(ACTIVATIONS).join(", ");
  throw new DataError(
    `Cannot read the config as hidden_act must be one of ${known}: it is ${JSON.stringify(name)}`,
  );
}
