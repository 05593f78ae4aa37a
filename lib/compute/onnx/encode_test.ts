/** Tests that encoded graphs hold what they were given, with the schema of ONNX in npm `onnx-buf`. @module */
import { assertEquals } from "@std/assert";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { digestBytes } from "@/lib/data/files/digest.ts";
import type { OnnxGraph } from "./graph.ts";
import { encodeModel } from "./encode.ts";

const GRAPH: OnnxGraph = {
  name: "all",
  nodes: [{
    opType: "Several",
    domain: "",
    inputs: ["x", ""],
    outputs: ["é".repeat(70)],
    attributes: {
      one: 1,
      minus: -1,
      large: 2 ** 40,
      list: [1, -2, 2 ** 33],
      empty: [],
      real: { float: 0.5 },
      text: "näme",
    },
  }, { opType: "None", domain: "com.microsoft", inputs: [], outputs: ["y"], attributes: {} }],
  inputs: [{ name: "x", dtype: "f32", shape: ["B", 3, 0] }],
  outputs: [{ name: "y", dtype: "f64", shape: [] }],
  initializers: [
    { name: "scalar", tensor: { dtype: "f32", shape: [], data: Float32Array.of(1) } },
    { name: "large", tensor: { dtype: "f32", shape: [2, 40_000], data: new Float32Array(80_000).fill(3) } },
    { name: "none", tensor: { dtype: "f64", shape: [0], data: new Float64Array() } },
  ],
  externals: [{ name: "w", dtype: "f32", shape: [1000, 10] }],
};

Deno.test("an encoded graph has the nodes, attributes, types and constants that it was given", () => {
  const { irVersion, producerName, opsetImport, graph } = fromBinary(ModelProtoSchema, encodeModel(GRAPH));
  assertEquals([irVersion, producerName], [10n, "srppo"]);
  assertEquals(opsetImport.map(({ domain, version }) => [domain, version]), [["", 21n], [
    "com.microsoft",
    1n,
  ]]);
  const [several, none] = graph!.node;
  assertEquals([graph!.name, graph!.node.length], ["all", 2]);
  assertEquals(
    [several!.name, several!.opType, several!.domain, several!.input, several!.output],
    ["Several_0", "Several", "", ["x", ""], ["é".repeat(70)]],
  );
  assertEquals([none!.name, none!.domain, none!.attribute], ["None_1", "com.microsoft", []]);
  assertEquals(
    several!.attribute.map((
      { name, type, i, ints, f, s },
    ) => [name, type, i, ints, f, new TextDecoder().decode(s)]),
    [
      ["one", 2, 1n, [], 0, ""],
      ["minus", 2, -1n, [], 0, ""],
      ["large", 2, 2n ** 40n, [], 0, ""],
      ["list", 7, 0n, [1n, -2n, 2n ** 33n], 0, ""],
      ["empty", 7, 0n, [], 0, ""],
      ["real", 1, 0n, [], 0.5, ""],
      ["text", 3, 0n, [], 0, "näme"],
    ],
  );
  const typeOf = (
    info: typeof graph extends undefined ? never : NonNullable<typeof graph>["input"][number],
  ) => {
    const tensor = info.type?.value;
    if (tensor?.case !== "tensorType") throw new Error(`${info.name} is not a tensor`);
    return [info.name, tensor.value.elemType, tensor.value.shape?.dim.map(({ value }) => value.value)];
  };
  assertEquals(graph!.input.map(typeOf), [["x", 1, ["B", 3n, 0n]]]);
  assertEquals(graph!.output.map(typeOf), [["y", 11, []]]);
  assertEquals(
    graph!.initializer.map((
      { name, dims, dataType, rawData, dataLocation },
    ) => [name, dims, dataType, rawData.length, dataLocation]),
    [["scalar", [], 1, 4, 0], ["large", [2n, 40_000n], 1, 320_000, 0], ["none", [0n], 11, 0, 0], [
      "w",
      [1000n, 10n],
      1,
      0,
      1,
    ]],
  );
  const { rawData } = graph!.initializer[1]!;
  assertEquals(rawData, new Uint8Array(new Float32Array(80_000).fill(3).buffer));
  assertEquals(
    graph!.initializer[3]!.externalData.map(({ key, value }) => `${key}=${value}`),
    ["location=given-at-creation", "offset=0", "length=40000"],
  );
});

Deno.test("the bytes of a graph are those that protobufjs gave", () => {
  assertEquals(
    digestBytes(encodeModel(GRAPH)),
    "94eee6818df65651b0bbf842154894ccb1c0f6c41b594ffd736e28b923843973",
  );
});
