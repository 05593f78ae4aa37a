/**
 * Reverse-mode automatic differentiation over symbolic values. A model is a function of values: calling it records
 * equations in a trace, `backward` adds the equations of the gradient, `lower` turns a part of the trace into an ONNX
 * graph.
 * @module
 */
export { type Equation, Trace, type Value } from "./value.ts";
export { backward, residuals } from "./backward.ts";
export { lower } from "./lower.ts";
export { add, div, maximum, minimum, mul, neg, sub } from "./primitives/arithmetic.ts";
export { equal, greaterEqual, toF32 } from "./primitives/compare.ts";
export { abs, clip, exp, log, sigmoid, sqrt, square, tanh } from "./primitives/unary.ts";
export { silu } from "./primitives/silu.ts";
export { gelu, geluTanh } from "./primitives/gelu.ts";
export { broadcastTo, reduceSum } from "./primitives/reduce_sum.ts";
export { concat, pad, reshape, slice, transpose } from "./primitives/shape.ts";
export { linear, matmul } from "./primitives/matmul.ts";
export { argMax, drawTokens, topK } from "./primitives/sampling.ts";
export { softmax } from "./primitives/softmax.ts";
export { tokenLogprob } from "./primitives/token_logprob.ts";
export { addToRows, gatherRows, replaceRows, takeAlongLast } from "./primitives/gather.ts";
export { rmsNorm } from "./primitives/rms_norm.ts";
export { layerNorm } from "./primitives/layer_norm.ts";
export { attention } from "./primitives/attention.ts";
export { rope } from "./primitives/rope.ts";
export { groupQueryAttention } from "./primitives/group_query_attention.ts";
