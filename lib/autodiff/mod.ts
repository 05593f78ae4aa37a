/**
 * Reverse-mode automatic differentiation over symbolic values, emitting ONNX graphs. A model is a function of values;
 * calling it records equations in a trace, `backward` adds those of the gradient, `lower` turns a part of the trace
 * into a graph.
 * @module
 */
export { type Aval, type Equation, Trace, type Value } from "./value.ts";
export { backward, residuals, type Seed } from "./backward.ts";
export { type GraphBounds, lower } from "./lower.ts";
export { add, div, maximum, minimum, mul, type Operand, sub } from "./primitives/arithmetic.ts";
export { greaterEqual } from "./primitives/compare.ts";
export { abs, clip, erf, exp, log, neg, sigmoid, sqrt, square, tanh } from "./primitives/unary.ts";
export { silu } from "./primitives/silu.ts";
export { gelu, geluTanh } from "./primitives/gelu.ts";
export { reduceMean, reduceSum, sumTo } from "./primitives/reduce_sum.ts";
export { reduceMax } from "./primitives/reduce_max.ts";
export { broadcastTo, concat, pad, reshape, slice, stopGradient, transpose } from "./primitives/shape.ts";
export { linear, matmul } from "./primitives/matmul.ts";
export { logSoftmax, softmax } from "./primitives/softmax.ts";
export { tokenLogprob } from "./primitives/token_logprob.ts";
export { gatherRows, scatterAddRows, scatterAlongLast, takeAlongLast } from "./primitives/gather.ts";
export { scatterAddLast } from "./primitives/scatter_add_last.ts";
export { rmsNorm } from "./primitives/rms_norm.ts";
export { layerNorm } from "./primitives/layer_norm.ts";
export { attention } from "./primitives/attention.ts";
export { rope } from "./primitives/rope.ts";
export { groupQueryAttention } from "./primitives/group_query_attention.ts";
