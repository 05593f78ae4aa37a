/** Writes a graph as an ONNX model in protobuf, through npm `onnx-proto`. @module */
import onnxProto from "onnx-proto";
import { sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { BYTES, ELEMENT_TYPE } from "@/lib/compute/tensor/dtype.ts";
import { type Attribute, type OnnxGraph, OPSET, type ValueInfo } from "./graph.ts";

const { onnx } = onnxProto;

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;
const EXTERNAL = 1;
const IR_VERSION = 10;
const text = new TextEncoder();

function attribute(name: string, value: Attribute) {
  if (typeof value === "number") return { name, type: ATTRIBUTE_TYPE.int, i: value };
  if (typeof value === "string") return { name, type: ATTRIBUTE_TYPE.string, s: text.encode(value) };
  if ("float" in value) return { name, type: ATTRIBUTE_TYPE.float, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.ints, ints: [...value] };
}

function valueInfo({ name, dtype, shape }: ValueInfo) {
  const dim = shape.map((d) => typeof d === "number" ? { dimValue: d } : { dimParam: d });
  return { name, type: { tensorType: { elemType: ELEMENT_TYPE[dtype], shape: { dim } } } };
}

/** Returns `graph` as the bytes of an ONNX model. Equal graphs give equal bytes. */
export function encodeModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  const constants = graph.initializers.map(({ name, tensor: { dtype, shape, data } }) => ({
    name,
    dims: [...shape],
    dataType: ELEMENT_TYPE[dtype],
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  }));
  // The location is never opened: the session replaces these weights by the buffers passed at creation.
  const externals = graph.externals.map(({ name, dtype, shape }) => ({
    name,
    dims: [...shape],
    dataType: ELEMENT_TYPE[dtype],
    dataLocation: EXTERNAL,
    externalData: [
      { key: "location", value: "given-at-creation" },
      { key: "offset", value: "0" },
      { key: "length", value: String(sizeOf(shape) * BYTES[dtype]) },
    ],
  }));
  const model = onnx.ModelProto.create({
    irVersion: IR_VERSION,
    producerName: "srppo",
    opsetImport: [{ domain: "", version: OPSET }, { domain: "com.microsoft", version: 1 }],
    graph: {
      name: graph.name,
      node: graph.nodes.map((node, i) => ({
        name: `${node.opType}_${i}`,
        opType: node.opType,
        domain: node.domain,
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: Object.entries(node.attributes).map(([name, value]) => attribute(name, value)),
      })),
      initializer: [...constants, ...externals],
      input: graph.inputs.map(valueInfo),
      output: graph.outputs.map(valueInfo),
    },
  });
  return Uint8Array.from(onnx.ModelProto.encode(model).finish());
}
