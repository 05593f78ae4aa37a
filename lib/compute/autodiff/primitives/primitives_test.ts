/**
 * Every primitive against finite differences in f64, first and second order where it is smooth. The first test fails for
 * a primitive without a case.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type HostTensor, i64 } from "@/lib/compute/tensor/tensor.ts";
import { UnsupportedOpError } from "@/lib/compute/tensor/errors.ts";
import { evaluate, evaluateVjp, type TracedFunction } from "@/tests/support/evaluate.ts";
import { gradientError, numbers, randomTensor } from "@/tests/support/check_grads.ts";
import { PRIMITIVES } from "./all_primitives.ts";
import * as ad from "../mod.ts";
import { scatterAddRows, scatterAlongLast, takeAlongLast } from "./gather.ts";
import { reduceMean } from "./reduce_mean.ts";
import { scatterAddLast } from "./scatter_add_last.ts";
import { erf } from "./unary.ts";

interface Case {
  fn: TracedFunction;
  inputs: HostTensor[];
}

const next = numbers(1);
const r = (shape: number[], low = -1, high = 1) => randomTensor(shape, next, low, high);
const ids = i64([4], [2, 0, 2, 5]);
// Two tensors whose elements are never closer than 0.2: away from the kinks of max and min.
const apart = (): HostTensor[] => {
  const a = r([3, 4], 0, 1), b = r([3, 4], 0, 1);
  b.data.forEach((x, i) => (b.data as Float64Array)[i] = Number(a.data[i]) + (Number(x) > 0.5 ? 0.7 : -0.7));
  return [a, b];
};
const angles = [r([9, 4], -1, 1), r([9, 4], -1, 1)];
const positions = i64([2, 3], [0, 1, 2, 5, 6, 7]);

const CASES: Record<string, Case[]> = {
  add: [{ fn: ad.add, inputs: [r([3, 4]), r([4])] }, { fn: ad.add, inputs: [r([3, 1]), r([2, 1, 4])] }],
  sub: [{ fn: ad.sub, inputs: [r([3, 4]), r([1, 4])] }],
  mul: [{ fn: ad.mul, inputs: [r([3, 4]), r([3, 1])] }, { fn: (a) => ad.mul(a!, a!), inputs: [r([3])] }],
  div: [{ fn: ad.div, inputs: [r([3, 4]), r([4], 0.5, 2)] }],
  maximum: [{ fn: ad.maximum, inputs: apart() }],
  minimum: [{ fn: ad.minimum, inputs: apart() }],
  greaterEqual: [{ fn: (a, b) => ad.mul(ad.greaterEqual(a!, b!), a!), inputs: apart() }],
  neg: [{ fn: ad.neg, inputs: [r([5])] }],
  exp: [{ fn: ad.exp, inputs: [r([5])] }],
  log: [{ fn: ad.log, inputs: [r([5], 0.5, 2)] }],
  sqrt: [{ fn: ad.sqrt, inputs: [r([5], 0.5, 2)] }],
  sigmoid: [{ fn: ad.sigmoid, inputs: [r([5], -3, 3)] }],
  tanh: [{ fn: ad.tanh, inputs: [r([5], -2, 2)] }],
  abs: [{ fn: ad.abs, inputs: [r([5], 0.2, 2)] }, { fn: ad.abs, inputs: [r([5], -2, -0.2)] }],
  silu: [{ fn: ad.silu, inputs: [r([5], -3, 3)] }],
  geluTanh: [{ fn: ad.geluTanh, inputs: [r([5], -3, 3)] }],
  reduceSum: [
    { fn: (x) => ad.reduceSum(x!), inputs: [r([3, 4])] },
    { fn: (x) => ad.reduceSum(x!, [-1], { keepDims: true }), inputs: [r([3, 4])] },
    { fn: (x) => reduceMean(x!, [0]), inputs: [r([3, 4])] },
  ],
  reshape: [{ fn: (x) => ad.reshape(x!, [2, -1]), inputs: [r([3, 4])] }],
  transpose: [{ fn: (x) => ad.transpose(x!, [2, 0, 1]), inputs: [r([2, 3, 4])] }],
  broadcastTo: [{ fn: (x) => ad.broadcastTo(x!, [2, 3, 4]), inputs: [r([3, 1])] }],
  slice: [{ fn: (x) => ad.slice(x!, 1, 1, 3), inputs: [r([3, 4])] }],
  pad: [{ fn: (x) => ad.pad(x!, -1, 2, 1), inputs: [r([3, 4])] }],
  concat: [{ fn: (a, b) => ad.concat([a!, b!, ad.mul(a!, a!)], 1), inputs: [r([2, 3]), r([2, 1])] }],
  matmul: [false, true].flatMap((transA) =>
    [false, true].map((transB) => ({
      fn: (a?: ad.Value, b?: ad.Value) => ad.matmul(a!, b!, { transA, transB, alpha: 0.7 }),
      inputs: [r(transA ? [2, 4, 3] : [2, 3, 4]), r(transB ? [2, 5, 4] : [2, 4, 5])],
    }))
  ),
  attention: [{
    fn: (q, k, v, mask) => ad.attention(q!, k!, v!, mask!, 0.7),
    inputs: [r([2, 6, 4]), r([2, 3, 4]), r([2, 3, 5]), r([6, 3], -3, 0)],
  }],
  softmax: [{ fn: ad.softmax, inputs: [r([3, 5], -2, 2)] }],
  tokenLogprob: [
    { fn: (x, i) => ad.tokenLogprob(x!, i!).selected, inputs: [r([4, 6], -2, 2), ids] },
    {
      fn: (x, i) => {
        const { selected, all } = ad.tokenLogprob(x!, i!);
        return [selected, ad.neg(ad.reduceSum(ad.mul(ad.exp(all), all), [-1]))];
      },
      inputs: [r([4, 6], -2, 2), ids],
    },
  ],
  gatherRows: [{ fn: ad.gatherRows, inputs: [r([6, 3]), ids] }],
  scatterAddRows: [{ fn: (g, i) => scatterAddRows(g!, i!, 6), inputs: [r([4, 3]), ids] }],
  takeAlongLast: [{ fn: takeAlongLast, inputs: [r([4, 6]), ids] }],
  scatterAlongLast: [{
    fn: (g, i) => scatterAlongLast(g!, i!, 6),
    inputs: [r([4, 1]), i64([4, 1], [2, 0, 2, 5])],
  }],
  scatterAddLast: [
    {
      fn: (x, i, g) => scatterAddLast(x!, i!, g!),
      inputs: [r([4, 6]), i64([4, 1], [2, 0, 2, 5]), r([4, 1])],
    },
  ],
  addToRows: [{
    fn: (t, i, g) => ad.addToRows(t!, i!, g!),
    inputs: [r([6, 3]), i64([4], [2, 0, 3, 5]), r([4, 3])],
  }],
  rmsNorm: [{ fn: (x, w) => ad.rmsNorm(x!, w!, 1e-5), inputs: [r([3, 8]), r([8], 0.5, 1.5)] }],
  layerNorm: [{
    fn: (x, w, b) => ad.layerNorm(x!, w!, b!, 1e-5),
    inputs: [r([3, 8]), r([8], 0.5, 1.5), r([8])],
  }],
  rope: [8, 11].map((dim) => ({ // all dimensions, and the first 8 of 11
    fn: (x?: ad.Value, p?: ad.Value, c?: ad.Value, s?: ad.Value) => ad.rope(x!, p!, c!, s!),
    inputs: [r([2, 2, 3, dim]), positions, ...angles],
  })),
};

/** Primitives with f32 kernels only: checked in f32 below. */
const F32_ONLY = { erf: 2e-3, gelu: 2e-3 };
/** Forward only: a test below checks the error message. */
const FORWARD_ONLY = ["groupQueryAttention", "argMax", "topK", "drawTokens", "replaceRows", "equal", "toF32"];

Deno.test("every primitive has a gradient check", () => {
  const checked = [...Object.keys(CASES), ...Object.keys(F32_ONLY), ...FORWARD_ONLY].sort();
  assertEquals(checked, Object.keys(PRIMITIVES).sort());
});

for (const [name, cases] of Object.entries(CASES)) {
  Deno.test(`${name}: gradients equal central differences`, () => {
    cases.forEach(({ fn, inputs }, i) => {
      // The angles of rope are constants: finite differences would move them.
      const wrt = name === "rope" ? { wrt: [0] } : {};
      const error = gradientError(fn, inputs, { seed: 11 + i, ...wrt });
      assert(error < 1e-6, `${name} case ${i}: relative error ${error}`);
    });
  });
}

Deno.test("erf: the gradient in f32 equals 2/√π·exp(−x²)", () => {
  const x = { dtype: "f32", shape: [5], data: Float32Array.of(-2, -0.5, 0, 0.3, 1.7) } as const;
  const { cotangents } = evaluateVjp(erf, [x]);
  cotangents[0]!.data.forEach((g, i) => {
    const exact = 2 / Math.sqrt(Math.PI) * Math.exp(-(x.data[i]! ** 2));
    assert(Math.abs(Number(g) - exact) < 1e-6, `erf'(${x.data[i]}) = ${g}, not ${exact}`);
  });
});

Deno.test("gelu: value and gradient in f32 equal xΦ(x) and Φ(x) + xφ(x)", () => {
  const x = { dtype: "f32", shape: [6], data: Float32Array.of(-3, -1, -0.25, 0, 0.8, 2.5) } as const;
  // Φ(x): tables of the standard normal distribution
  const cumulative = [0.0013498980, 0.1586552539, 0.4012936743, 0.5, 0.7881446014, 0.9937903347];
  const { outputs, cotangents } = evaluateVjp(ad.gelu, [x]);
  cumulative.forEach((phi, i) => {
    const at = x.data[i]!, density = Math.exp(-(at ** 2) / 2) / Math.sqrt(2 * Math.PI);
    assert(Math.abs(Number(outputs[0]!.data[i]) - at * phi) < 1e-6, `gelu(${at})`);
    assert(Math.abs(Number(cotangents[0]!.data[i]) - (phi + at * density)) < 1e-6, `gelu'(${at})`);
  });
});

Deno.test("second derivatives: the gradient of a gradient equals central differences", () => {
  const second = (fn: (x: ad.Value) => ad.Value) => (x?: ad.Value) => {
    const y = ad.reduceSum(fn(x!));
    return ad.backward([{ output: y, cotangent: x!.trace.scalar(1, x!.dtype) }], [x!])[0]!;
  };
  const smooth: Record<string, (x: ad.Value) => ad.Value> = {
    softmax: (x) => ad.mul(ad.softmax(x), x),
    silu: ad.silu,
    attention: (x) => {
      const y = ad.reshape(x, [1, 2, 6]);
      return ad.attention(y, y, y, ad.slice(x, 1, 0, 2), 0.5);
    },
    rmsNorm: (x) => ad.square(ad.rmsNorm(x, ad.broadcastTo(x.trace.scalar(1, x.dtype), [6]), 1e-5)),
    layerNorm: (x) => {
      const [one, zero] = [1, 0].map((value) => ad.broadcastTo(x.trace.scalar(value, x.dtype), [6]));
      return ad.square(ad.add(ad.layerNorm(x, one!, zero!, 1e-5), x));
    },
    geluTanh: ad.geluTanh,
    matmul: (x) => ad.square(ad.matmul(x, x, { transB: true })),
    div: (x) => ad.div(1, ad.add(ad.square(x), 1)),
  };
  for (const [name, fn] of Object.entries(smooth)) {
    const error = gradientError(second(fn), [randomTensor([2, 6], numbers(3))], { epsilon: 1e-5 });
    assert(error < 1e-6, `${name}: relative error ${error}`);
  }
});

Deno.test("equal operands: maximum and minimum give the gradient to the first one, clip to x at its bounds", () => {
  const x = { dtype: "f64", shape: [3], data: Float64Array.of(1, 2, 3) } as const;
  const gradients = (fn: TracedFunction, inputs: HostTensor[]) =>
    evaluateVjp(fn, inputs).cotangents.map((c) => Array.from(c!.data as Float64Array));
  assertEquals(gradients(ad.maximum, [x, x]), [[1, 1, 1], [0, 0, 0]]);
  assertEquals(gradients(ad.minimum, [x, x]), [[1, 1, 1], [0, 0, 0]]);
  assertEquals(gradients((v) => ad.clip(v!, 1, 2.5), [x]), [[1, 1, 0]]);
});

Deno.test("fused f32 kernels equal the f64 composition: silu, geluTanh, rope, rmsNorm, layerNorm", () => {
  const same = (fn: TracedFunction, inputs: HostTensor[]) => {
    const narrow = inputs.map((t) =>
      t.dtype === "f64" ? { ...t, dtype: "f32" as const, data: Float32Array.from(t.data as Float64Array) } : t
    );
    const [wide] = evaluate(fn, inputs), [single] = evaluate(fn, narrow);
    wide!.data.forEach((x, i) =>
      assert(Math.abs(Number(x) - Number(single!.data[i])) < 1e-5, `element ${i}`)
    );
  };
  same(ad.silu, [r([64], -4, 4)]);
  same(ad.geluTanh, [r([64], -4, 4)]);
  for (const { inputs } of CASES.rope!) same((x, p, c, s) => ad.rope(x!, p!, c!, s!), inputs);
  same((x, w) => ad.rmsNorm(x!, w!, 1e-5), CASES.rmsNorm![0]!.inputs);
  same((x, w, b) => ad.layerNorm(x!, w!, b!, 1e-5), CASES.layerNorm![0]!.inputs);
});

Deno.test("groupQueryAttention has no gradient", () => {
  const trace = new ad.Trace();
  const f = (name: string, shape: number[]) => trace.input(name, "f32", shape);
  const { output } = ad.groupQueryAttention({
    q: f("q", [1, 1, 16]),
    k: f("k", [1, 1, 8]),
    v: f("v", [1, 1, 8]),
    pastKey: f("pk", [1, 1, 4, 8]),
    pastValue: f("pv", [1, 1, 4, 8]),
    lastIndex: trace.input("l", "i32", [1]),
    total: trace.input("t", "i32", [1]),
  }, { heads: 2, kvHeads: 1, scale: 1, window: -1, softcap: 0 });
  assertThrows(
    () => ad.backward([{ output, cotangent: output }], [trace.inputs[0]!]),
    UnsupportedOpError,
    "groupQueryAttention has no gradient: training uses attention() instead",
  );
});
