/**
 * Writes a graph as an ONNX model in protobuf, field by field, with npm `@bufbuild/protobuf`. Large constants are copied once,
 * into the result. A test reads the bytes with the schema of npm `onnx-buf`.
 * @module
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { BYTES, type DType, ELEMENT_TYPE } from "@/lib/compute/tensor/dtype.ts";
import {
  type Attribute,
  type ExternalInitializer,
  type Initializer,
  type OnnxGraph,
  type OnnxNode,
  OPSET,
  type ValueInfo,
} from "./graph.ts";

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;
const EXTERNAL = 1;
const IR_VERSION = 10;

/** Constants of at least this many bytes are not copied into the writer's buffer. */
const LARGE_BYTES = 1 << 16;

// Numbers of the fields in onnx.proto, in the order in which they are written.
const MODEL = { irVersion: 1, producerName: 2, graph: 7, opsetImport: 8 };
const OPERATOR_SET = { domain: 1, version: 2 };
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 };
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 };
const ATTRIBUTE = { name: 1, f: 2, i: 3, s: 4, ints: 8, type: 20 };
const VALUE_INFO = { name: 1, type: 2 };
const TYPE = { tensorType: 1 };
const TENSOR_TYPE = { elemType: 1, shape: 2 };
const SHAPE = { dim: 1 };
const DIMENSION = { dimValue: 1, dimParam: 2 };
const TENSOR = { dims: 1, dataType: 2, name: 8, rawData: 9, externalData: 13, dataLocation: 14 };
const ENTRY = { key: 1, value: 2 };

/** Returns `graph` as the bytes of an ONNX model. Equal graphs give equal bytes. */
export function encodeModel(graph: OnnxGraph): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [], writer = new BinaryWriter();
  graph.nodes.forEach((node, i) => writeNode(writer, node, i));
  string(writer, GRAPH.name, graph.name);
  for (const constant of graph.initializers) writeConstant(writer, constant, parts);
  for (const external of graph.externals) writeExternal(writer, external);
  for (const info of graph.inputs) writeValueInfo(writer, GRAPH.input, info);
  for (const info of graph.outputs) writeValueInfo(writer, GRAPH.output, info);
  parts.push(writer.finish());

  const length = parts.reduce((sum, part) => sum + part.length, 0);
  int(writer, MODEL.irVersion, IR_VERSION);
  string(writer, MODEL.producerName, "srppo");
  const head = writer.tag(MODEL.graph, WireType.LengthDelimited).uint32(length).finish();
  for (const [domain, version] of [["", OPSET], ["com.microsoft", 1]] as const) {
    message(writer, MODEL.opsetImport, () => {
      string(writer, OPERATOR_SET.domain, domain);
      int(writer, OPERATOR_SET.version, version);
    });
  }
  return joined([head, ...parts, writer.finish()]);
}

function writeNode(writer: BinaryWriter, node: OnnxNode, i: number): void {
  message(writer, GRAPH.node, () => {
    for (const name of node.inputs) string(writer, NODE.input, name);
    for (const name of node.outputs) string(writer, NODE.output, name);
    string(writer, NODE.name, `${node.opType}_${i}`);
    string(writer, NODE.opType, node.opType);
    for (const [name, value] of Object.entries(node.attributes)) {
      message(writer, NODE.attribute, () => writeAttribute(writer, name, value));
    }
    string(writer, NODE.domain, node.domain);
  });
}

function writeAttribute(writer: BinaryWriter, name: string, value: Attribute): void {
  string(writer, ATTRIBUTE.name, name);
  if (typeof value === "number") {
    int(writer, ATTRIBUTE.i, value);
    int(writer, ATTRIBUTE.type, ATTRIBUTE_TYPE.int);
  } else if (typeof value === "string") {
    string(writer, ATTRIBUTE.s, value);
    int(writer, ATTRIBUTE.type, ATTRIBUTE_TYPE.string);
  } else if ("float" in value) {
    writer.tag(ATTRIBUTE.f, WireType.Bit32).float(value.float);
    int(writer, ATTRIBUTE.type, ATTRIBUTE_TYPE.float);
  } else {
    ints(writer, ATTRIBUTE.ints, value);
    int(writer, ATTRIBUTE.type, ATTRIBUTE_TYPE.ints);
  }
}

function writeValueInfo(writer: BinaryWriter, field: number, { name, dtype, shape }: ValueInfo): void {
  message(writer, field, () => {
    string(writer, VALUE_INFO.name, name);
    message(writer, VALUE_INFO.type, () =>
      message(writer, TYPE.tensorType, () => {
        int(writer, TENSOR_TYPE.elemType, ELEMENT_TYPE[dtype]);
        message(writer, TENSOR_TYPE.shape, () => {
          for (const size of shape) {
            message(writer, SHAPE.dim, () => {
              if (typeof size === "number") int(writer, DIMENSION.dimValue, size);
              else string(writer, DIMENSION.dimParam, size);
            });
          }
        });
      }));
  });
}

/** Writes a constant. If it is large, what was written so far and the constant's own bytes are added to `parts`. */
function writeConstant(writer: BinaryWriter, { name, tensor }: Initializer, parts: Uint8Array[]): void {
  const { dtype, shape, data } = tensor;
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const head = new BinaryWriter();
  writeTensorHead(head, name, dtype, shape);
  const header = head.tag(TENSOR.rawData, WireType.LengthDelimited).uint32(raw.length).finish();
  writer.tag(GRAPH.initializer, WireType.LengthDelimited).uint32(header.length + raw.length).raw(header);
  if (raw.length < LARGE_BYTES) writer.raw(raw);
  else parts.push(writer.finish(), raw);
}

/** Writes a weight that is passed at creation. The location is never opened: the session replaces it by a buffer. */
function writeExternal(writer: BinaryWriter, { name, dtype, shape }: ExternalInitializer): void {
  const entries = {
    location: "given-at-creation",
    offset: "0",
    length: String(sizeOf(shape) * BYTES[dtype]),
  };
  message(writer, GRAPH.initializer, () => {
    writeTensorHead(writer, name, dtype, shape);
    for (const [key, value] of Object.entries(entries)) {
      message(writer, TENSOR.externalData, () => {
        string(writer, ENTRY.key, key);
        string(writer, ENTRY.value, value);
      });
    }
    int(writer, TENSOR.dataLocation, EXTERNAL);
  });
}

function writeTensorHead(writer: BinaryWriter, name: string, dtype: DType, shape: readonly number[]): void {
  ints(writer, TENSOR.dims, shape);
  int(writer, TENSOR.dataType, ELEMENT_TYPE[dtype]);
  string(writer, TENSOR.name, name);
}

function message(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

function string(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function int(writer: BinaryWriter, field: number, value: number): void {
  writeInt(writer.tag(field, WireType.Varint), value);
}

/** Writes a packed list; an empty one is left out. */
function ints(writer: BinaryWriter, field: number, values: readonly number[]): void {
  if (values.length === 0) return;
  message(writer, field, () => values.forEach((value) => writeInt(writer, value)));
}

/** Writes an int64. Those of 32 bits without a sign have the same bytes as `uint32`, which is faster. */
function writeInt(writer: BinaryWriter, value: number): void {
  if (value >= 0 && value < 2 ** 32) writer.uint32(value);
  else writer.int64(value);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
