/** Runs traced functions on ONNX Runtime, in the type of their inputs: for tests, goldens and small computations. @module */
import { backward, broadcastTo, lower, Trace, type Value } from "@/lib/autodiff/mod.ts";
import { encodeModel } from "@/lib/onnx/encode.ts";
import { Session } from "@/lib/ort/session.ts";
import { TensorValue } from "@/lib/ort/tensor_value.ts";
import type { HostTensor } from "@/lib/tensor/tensor.ts";

/** A function of symbolic values. */
export type TracedFunction = (...inputs: Value[]) => Value | readonly Value[];

function runTrace(
  inputs: readonly Value[],
  tensors: readonly HostTensor[],
  outputs: readonly Value[],
): HostTensor[] {
  const named = Object.fromEntries(outputs.map((value, i) => [`out${i}`, value]));
  const graph = lower({ inputs, outputs: named });
  using session = new Session(encodeModel(graph), { optimize: false });
  const given = new Map(inputs.map((value, i) => [value.name, tensors[i]!]));
  const bound = graph.inputs.map(({ name }) => [name, new TensorValue(given.get(name)!)] as const);
  const results = Object.entries(named).map(([name, { dtype, shape }]) =>
    [name, TensorValue.zeros(dtype, shape)] as const
  );
  session.run(Object.fromEntries(bound), Object.fromEntries(results));
  return results.map(([, { dtype, shape, data }]) => ({ dtype, shape, data }));
}

function traceInputs(tensors: readonly HostTensor[]): Value[] {
  const trace = new Trace();
  return tensors.map(({ dtype, shape }, i) => trace.input(`in${i}`, dtype, shape));
}

/** The outputs of `fn` at `inputs`. */
export function evaluate(fn: TracedFunction, inputs: readonly HostTensor[]): HostTensor[] {
  const values = traceInputs(inputs);
  const out = fn(...values);
  return runTrace(values, inputs, Array.isArray(out) ? out : [out as Value]);
}

/**
 * The vector-Jacobian product of `fn`: outputs, and the cotangents of the inputs in `wrt` under those of the outputs
 * (default: ones). An input that the outputs do not depend on gets undefined.
 */
export function evaluateVjp(
  fn: TracedFunction,
  inputs: readonly HostTensor[],
  options: { readonly wrt?: readonly number[]; readonly cotangents?: readonly HostTensor[] } = {},
): { outputs: HostTensor[]; cotangents: (HostTensor | undefined)[] } {
  const values = traceInputs(inputs);
  const out = fn(...values);
  const outputs: readonly Value[] = Array.isArray(out) ? out : [out as Value];
  const trace = values[0]!.trace;
  const given = options.cotangents ?? [];
  const seedInputs = given.map(({ dtype, shape }, i) => trace.input(`seed${i}`, dtype, shape));
  const seeds = outputs.map((output, i) => {
    const cotangent = seedInputs[i] ?? broadcastTo(trace.scalar(1, output.dtype), output.shape);
    return { output, cotangent };
  });
  const gradients = backward(seeds, (options.wrt ?? inputs.map((_, i) => i)).map((i) => values[i]!));
  const present = gradients.filter((g): g is Value => g !== undefined);
  const results = runTrace([...values, ...seedInputs], [...inputs, ...given], [...outputs, ...present]);
  const found = results.slice(outputs.length);
  return { outputs: results.slice(0, outputs.length), cotangents: gradients.map((g) => g && found.shift()!) };
}

/** A scalar function's value and its gradient with respect to the inputs in `wrt` (default: all). */
export function valueAndGrad(
  fn: (...inputs: Value[]) => Value,
  inputs: readonly HostTensor[],
  wrt?: readonly number[],
): { value: number; gradients: (HostTensor | undefined)[] } {
  const { outputs, cotangents } = evaluateVjp(fn, inputs, wrt ? { wrt } : {});
  return { value: Number(outputs[0]!.data[0]), gradients: cotangents };
}
