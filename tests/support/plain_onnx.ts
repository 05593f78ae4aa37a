/** Rewrites a graph to operators of the default ONNX domain, for readers that know no others. @module */
import type { OnnxGraph, OnnxNode } from "@/lib/onnx/graph.ts";
import { f64 } from "@/lib/tensor/tensor.ts";

/**
 * FusedMatMul becomes Transpose, MatMul and Mul. An f64 graph of our blocks holds no other operator of another domain.
 * @param rank of the operands, by name
 */
export function plainOnnx(graph: OnnxGraph, rank: (name: string) => number): OnnxGraph {
  const initializers = [...graph.initializers];
  const nodes = graph.nodes.flatMap((node, i): OnnxNode[] => {
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
      const axes = [...Array(rank(name)).keys()], perm = [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!];
      return emit("Transpose", [name], `plain${i}${suffix}`, { perm });
    };
    const operands = [turned(node.inputs[0]!, transA, "a"), turned(node.inputs[1]!, transB, "b")];
    const product = emit("MatMul", operands, `plain${i}`);
    // an attribute is an f32 in the file
    initializers.push({
      name: `alpha${i}`,
      tensor: f64([], [Math.fround((alpha as { float: number }).float)]),
    });
    emit("Mul", [product, `alpha${i}`], node.outputs[0]!);
    return made;
  });
  return { ...graph, nodes, initializers };
}
