/** Rewrites a graph to operators of the default ONNX domain, for runtimes that support no others. @module */
import type { OnnxGraph, OnnxNode } from "@/lib/compute/onnx/graph.ts";
import { f64, i64, type Shape } from "@/lib/compute/tensor/tensor.ts";

/**
 * Replaces FusedMatMul by Transpose, MatMul and Mul, and 0 in the shape of a Reshape by the size. F64 graphs of our blocks
 * have no other operator of another domain.
 * @param shapeOf returns the shape of an operand or result
 */
export function plainOnnx(graph: OnnxGraph, shapeOf: (name: string) => Shape): OnnxGraph {
  const initializers = [...graph.initializers];
  const nodes = graph.nodes.flatMap((node, i): OnnxNode[] => {
    if (node.opType === "Reshape") {
      const shape = shapeOf(node.outputs[0]!);
      initializers.push({ name: `shape${i}`, tensor: i64([shape.length], shape) });
      return [{ ...node, inputs: [node.inputs[0]!, `shape${i}`] }];
    }
    if (node.opType !== "FusedMatMul") return [node];
    const { transA, transB, alpha } = node.attributes, made: OnnxNode[] = [];
    const emit = (
      opType: string,
      inputs: string[],
      output: string,
      attributes: OnnxNode["attributes"] = {},
    ) => {
      made.push({ opType, domain: "", inputs, outputs: [output], attributes });
      return output;
    };
    const turned = (name: string, transposed: unknown, suffix: string) => {
      if (transposed !== 1) return name;
      const axes = [...shapeOf(name).keys()], perm = [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!];
      return emit("Transpose", [name], `plain${i}${suffix}`, { perm });
    };
    const operands = [turned(node.inputs[0]!, transA, "a"), turned(node.inputs[1]!, transB, "b")];
    const product = emit("MatMul", operands, `plain${i}`);
    // attributes are stored as f32
    initializers.push({
      name: `alpha${i}`,
      tensor: f64([], [Math.fround((alpha as { float: number }).float)]),
    });
    emit("Mul", [product, `alpha${i}`], node.outputs[0]!);
    return made;
  });
  return { ...graph, nodes, initializers };
}
