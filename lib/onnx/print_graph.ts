/**
 * A graph as text, one line per node: `%h: f32[2,3] = MatMul(%x, %w) {transB=1}`. Stable, so that snapshots in tests
 * and error messages can quote it.
 * @module
 */
import { showType } from "@/lib/tensor/tensor.ts";
import type { Attribute, OnnxGraph } from "./graph.ts";

function show(value: Attribute): string {
  if (typeof value === "object" && "float" in value) return String(value.float);
  return Array.isArray(value) ? `[${value.join(",")}]` : String(value);
}

/** The printed form of `graph`: inputs, small constants, nodes, outputs. */
export function printGraph(graph: OnnxGraph): string {
  const lines = [`graph ${graph.name}`];
  for (const { name, dtype, shape } of graph.inputs) {
    lines.push(`input %${name}: ${dtype}[${shape.join(",")}]`);
  }
  for (const { name, dtype, shape } of graph.externals) {
    lines.push(`weight %${name}: ${showType(dtype, shape)}`);
  }
  for (const { name, tensor } of graph.initializers) {
    const values = tensor.data.length <= 8 ? ` = ${tensor.data.join(" ")}` : "";
    lines.push(`constant %${name}: ${showType(tensor.dtype, tensor.shape)}${values}`);
  }
  for (const node of graph.nodes) {
    const attributes = Object.entries(node.attributes).sort(([a], [b]) => a < b ? -1 : 1)
      .map(([name, value]) => `${name}=${show(value)}`);
    const out = node.outputs.map((name) => `%${name}`).join(", ");
    const inputs = node.inputs.map((name) => name === "" ? "-" : `%${name}`).join(", ");
    lines.push(`${out} = ${node.opType}(${inputs})${attributes.length ? ` {${attributes.join(", ")}}` : ""}`);
  }
  for (const { name, dtype, shape } of graph.outputs) {
    lines.push(`output %${name}: ${dtype}[${shape.join(",")}]`);
  }
  return lines.join("\n");
}
