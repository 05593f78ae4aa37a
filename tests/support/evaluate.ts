/** Runs traced functions on ONNX Runtime in the type of their inputs, for tests and goldens. @module */
import { backward, broadcastTo, Trace, type Value } from "@/lib/compute/autodiff/mod.ts";
import { TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import type { HostTensor } from "@/lib/compute/tensor/tensor.ts";
import { CompiledGraph } from "@/lib/model/train/compiled_graph.ts";

/** A function of symbolic values. */
export type TracedFunction = (...inputs: Value[]) => Value | readonly Value[];

function runTrace(
  inputs: readonly Value[],
  tensors: readonly HostTensor[],
  outputs: readonly Value[],
): HostTensor[] {
  const named = Object.fromEntries(outputs.map((value, i) => [`out${i}`, value]));
  // Some of ONNX Runtime's fusions have no f64 kernel.
  const graph = new CompiledGraph({ inputs, outputs: named }, { optimize: false });
  using _session = graph.session;
  const given = inputs.map((value, i) => [value.name, new TensorValue(tensors[i]!)] as const);
  const results = Object.entries(named).map(([name, { dtype, shape }]) =>
    [name, TensorValue.zeros(dtype, shape)] as const
  );
  graph.prepare(Object.fromEntries(given), Object.fromEntries(results)).run();
  return results.map(([, { dtype, shape, data }]) => ({ dtype, shape, data }));
}

function traceInputs(tensors: readonly HostTensor[]): Value[] {
  const trace = new Trace();
  return tensors.map(({ dtype, shape }, i) => trace.input(`in${i}`, dtype, shape));
}

/** Returns the outputs of `fn` at `inputs`. */
export function evaluate(fn: TracedFunction, inputs: readonly HostTensor[]): HostTensor[] {
  const values = traceInputs(inputs);
  const out = fn(...values);
  return runTrace(values, inputs, Array.isArray(out) ? out : [out as Value]);
}

/**
 * Returns the vector-Jacobian product of `fn`: its outputs, and the cotangents of the inputs in `wrt` for given
 * cotangents of the outputs (default: ones); undefined for an input that the outputs do not depend on.
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
