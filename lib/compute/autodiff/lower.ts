/** Turns a part of a trace into an ONNX graph: all equations between the given values and the outputs. @module */
import { type HostTensor, i64 } from "@/lib/compute/tensor/tensor.ts";
import type { OnnxGraph, OnnxNode } from "@/lib/compute/onnx/graph.ts";
import { recordLowered } from "./lowered_equations.ts";
import type { Target, Value } from "./value.ts";

/** Inputs and outputs of the graph. */
export interface GraphBounds {
  readonly name?: string;
  /** values given at each run; unused ones are left out */
  readonly inputs: readonly Value[];
  /** values given once, when the session is made */
  readonly weights?: readonly Value[];
  /** graph outputs by name */
  readonly outputs: Readonly<Record<string, Value>>;
  /** declared shapes that replace the traced ones; a string is a size that may change between runs */
  readonly symbolic?: Readonly<Record<string, readonly (number | string)[]>>;
}

/** The processor's kernels: all operators. */
const EVERY_OPERATOR: Target = { has: () => true };

/**
 * Returns the graph that computes `outputs` from `inputs`. Any value of the trace may be an input, for example a saved
 * intermediate; the equations before it are then left out.
 * @param target the device that runs it
 */
export function lower(bounds: GraphBounds, target: Target = EVERY_OPERATOR): OnnxGraph {
  const outputs = Object.entries(bounds.outputs);
  const trace = outputs[0]![1].trace;
  const given = new Map([...bounds.inputs, ...(bounds.weights ?? [])].map((v) => [v.name, v]));
  const needed = new Set(outputs.map(([, v]) => v.name));
  const equations = trace.equations.slice().reverse().filter((equation) => {
    if (!equation.outputs.some((v) => needed.has(v.name) && !given.has(v.name))) return false;
    for (const v of equation.inputs) needed.add(v.name);
    return true;
  }).reverse();

  const nodes: OnnxNode[] = [];
  const constants = new Map<string, HostTensor>();
  const ints = new Map<string, string>();
  let temporaries = 0;
  const constant = (tensor: HostTensor) => {
    const name = `.k${constants.size}`;
    constants.set(name, tensor);
    return name;
  };
  equations.forEach(recordLowered);
  for (const { primitive, params, inputs, outputs } of equations) {
    // An output that is also a graph input must not be defined twice under one name.
    const names = outputs.map((v) => given.has(v.name) ? `.t${temporaries++}` : v.name);
    primitive.lower({
      inputs: inputs.map((v) => v.name),
      outputs: names,
      params,
      inputTypes: inputs,
      outputTypes: outputs,
      has: (operator) => target.has(operator),
      node: (opType, inputNames, attributes = {}, options = {}) => {
        nodes.push({
          opType,
          domain: options.domain ?? "",
          inputs: inputNames,
          outputs: options.outputs ?? names,
          attributes,
        });
      },
      temporary: () => `.t${temporaries++}`,
      constant,
      ints: (values) => {
        const key = values.join();
        let name = ints.get(key);
        if (name === undefined) ints.set(key, name = constant(i64([values.length], values)));
        return name;
      },
    });
  }
  // Each output needs its own name in ONNX, also where two outputs are one value or an output is an input.
  for (const [name, value] of outputs) {
    nodes.push({ opType: "Identity", domain: "", inputs: [value.name], outputs: [name], attributes: {} });
  }
  const declare = (name: string, { dtype, shape }: Value) => ({
    name,
    dtype,
    shape: bounds.symbolic?.[name] ?? shape,
  });
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const renamed = renameOutputs(nodes, outputs.map(([name, value]) => [value.name, name]), given);
  return {
    name: bounds.name ?? "graph",
    nodes: renamed,
    inputs: bounds.inputs.filter((v) => used.has(v.name)).map((v) => declare(v.name, v)),
    outputs: outputs.map(([name, v]) => declare(name, v)),
    initializers: [...trace.constants, ...constants].filter(([name]) => used.has(name))
      .map(([name, tensor]) => ({ name, tensor })),
    externals: (bounds.weights ?? []).filter((v) => used.has(v.name))
      .map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  };
}

/** Removes the Identity of each output that this graph computes and renames the value to the output instead. */
function renameOutputs(
  nodes: readonly OnnxNode[],
  outputs: readonly (readonly [value: string, name: string])[],
  given: ReadonlyMap<string, unknown>,
): OnnxNode[] {
  const made = new Set(nodes.slice(0, nodes.length - outputs.length).flatMap((node) => node.outputs));
  const rename = new Map<string, string>();
  const dropped = new Set<string>();
  for (const [value, name] of outputs) {
    if (!made.has(value) || given.has(value) || rename.has(value)) continue;
    rename.set(value, name);
    dropped.add(name);
  }
  const to = (name: string) => rename.get(name) ?? name;
  return nodes
    .filter((node, i) => !(i >= nodes.length - outputs.length && dropped.has(node.outputs[0]!)))
    .map((node) => ({ ...node, inputs: node.inputs.map(to), outputs: node.outputs.map(to) }));
}
