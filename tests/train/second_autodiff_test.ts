/**
 * A decoder block's gradient compared with another automatic differentiation: jax-js reads the forward graph in float64
 * and differentiates it by its own rules; this project runs the backward graph on ONNX Runtime.
 * @module
 */
import { defaultDevice, grad, init, numpy as np } from "@jax-js/jax";
import { ONNXModel } from "@jax-js/onnx";
import { assert, assertEquals } from "@std/assert";
import { lower, Trace, type Value } from "@/lib/compute/autodiff/mod.ts";
import { causalAttention } from "@/lib/model/models/causal_attention.ts";
import { modelFromConfig } from "@/lib/model/models/config.ts";
import { encodeModel } from "@/lib/compute/onnx/encode.ts";
import { f64, type HostTensor, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { evaluateVjp } from "@/tests/support/evaluate.ts";
import { plainOnnx } from "@/tests/support/plain_onnx.ts";

// 70 tokens: two blocks of queries.
const ROWS = 2, LENGTH = 70;
const model = modelFromConfig({
  model_type: "llama",
  vocab_size: 11,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 6,
  attention_bias: true,
  mlp_bias: true,
});
const block = model.blocks[0]!;
const names = Object.keys(block.parameters);

function applyTo(x: Value, weights: readonly Value[]): Value {
  const parameters = Object.fromEntries(names.map((name, i) => [name, weights[i]!]));
  return model.applyBlock(block, parameters, x, causalAttention(x.trace, ROWS, LENGTH));
}

/** Numbers in (−1, 1) that look random and need no seed. */
function wave(shape: readonly number[], phase: number): HostTensor {
  return f64(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1.7 * i * i + 0.6 * i + phase)),
  );
}

Deno.test("a block's gradient equals that of a second automatic differentiation, in float64", async () => {
  await init();
  defaultDevice("cpu");
  const shapes = [
    [ROWS * LENGTH, model.hiddenSize],
    ...Object.values(block.parameters).map(({ shape }) => shape),
  ];
  const inputs = shapes.map((shape, i) => wave(shape, i));
  const cotangent = wave(shapes[0]!, 99);
  const ours = evaluateVjp((x, ...weights) => applyTo(x!, weights), inputs, { cotangents: [cotangent] });

  const trace = new Trace();
  const values = ["x", ...names].map((name, i) => trace.input(name, "f64", shapes[i]!));
  const y = applyTo(values[0]!, values.slice(1));
  const made = [...values, ...trace.equations.flatMap(({ outputs }) => outputs)];
  const known = new Map([...made.map((v) => [v.name, v.shape] as const), ["y", y.shape]]);
  const graph = plainOnnx(lower({ inputs: values, outputs: { y } }), (name) => known.get(name)!);
  assertEquals(graph.nodes.filter(({ domain }) => domain !== ""), []);
  const theirs = new ONNXModel(encodeModel(graph));
  const arrayOf = ({ shape, data }: HostTensor) =>
    np.array(data as Float64Array<ArrayBuffer>, { dtype: np.float64, shape: [...shape] });
  const named = Object.fromEntries(["x", ...names].map((name, i) => [name, arrayOf(inputs[i]!)]));
  const gradients = grad((given: Record<string, np.Array>) => {
    const { y } = theirs.run(given) as { y: np.Array };
    return np.sum(y.mul(arrayOf(cotangent)));
  })(named) as unknown as Record<string, np.Array>;

  for (const [i, name] of ["x", ...names].entries()) {
    const expected = await gradients[name]!.data();
    const found = ours.cotangents[i]!.data as Float64Array;
    assertEquals(found.length, expected.length, name);
    const largest = Math.max(...expected.map(Math.abs));
    for (let j = 0; j < found.length; j++) {
      const error = Math.abs(found[j]! - expected[j]!);
      assert(error <= 1e-10 * Math.max(1, largest), `${name}[${j}] is ${found[j]}, not ${expected[j]}`);
    }
  }
});
