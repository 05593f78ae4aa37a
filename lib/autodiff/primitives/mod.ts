/** All primitives by name. A test walks this table and fails for a primitive without a gradient check. @module */
import * as arithmetic from "./arithmetic.ts";
import { attentionPrimitive } from "./attention.ts";
import { greaterEqualPrimitive } from "./compare.ts";
import * as gather from "./gather.ts";
import { geluPrimitive, geluTanhPrimitive } from "./gelu.ts";
import { groupQueryAttentionPrimitive } from "./group_query_attention.ts";
import { layerNormPrimitive } from "./layer_norm.ts";
import { matmulPrimitive } from "./matmul.ts";
import { reduceMaxPrimitive } from "./reduce_max.ts";
import { reduceSumPrimitive } from "./reduce_sum.ts";
import { rmsNormPrimitive } from "./rms_norm.ts";
import { ropePrimitive } from "./rope.ts";
import { scatterAddLastPrimitive } from "./scatter_add_last.ts";
import * as shape from "./shape.ts";
import { siluPrimitive } from "./silu.ts";
import * as softmaxes from "./softmax.ts";
import { tokenLogprobPrimitive } from "./token_logprob.ts";
import * as unary from "./unary.ts";

/** Every primitive that a trace may hold. */
export const PRIMITIVES = {
  add: arithmetic.addPrimitive,
  sub: arithmetic.subPrimitive,
  mul: arithmetic.mulPrimitive,
  div: arithmetic.divPrimitive,
  maximum: arithmetic.maximumPrimitive,
  minimum: arithmetic.minimumPrimitive,
  greaterEqual: greaterEqualPrimitive,
  neg: unary.negPrimitive,
  exp: unary.expPrimitive,
  log: unary.logPrimitive,
  sqrt: unary.sqrtPrimitive,
  sigmoid: unary.sigmoidPrimitive,
  tanh: unary.tanhPrimitive,
  erf: unary.erfPrimitive,
  abs: unary.absPrimitive,
  silu: siluPrimitive,
  gelu: geluPrimitive,
  geluTanh: geluTanhPrimitive,
  reduceSum: reduceSumPrimitive,
  reduceMax: reduceMaxPrimitive,
  reshape: shape.reshapePrimitive,
  transpose: shape.transposePrimitive,
  broadcastTo: shape.broadcastToPrimitive,
  slice: shape.slicePrimitive,
  pad: shape.padPrimitive,
  concat: shape.concatPrimitive,
  stopGradient: shape.stopGradientPrimitive,
  matmul: matmulPrimitive,
  softmax: softmaxes.softmaxPrimitive,
  logSoftmax: softmaxes.logSoftmaxPrimitive,
  tokenLogprob: tokenLogprobPrimitive,
  gatherRows: gather.gatherRowsPrimitive,
  scatterAddRows: gather.scatterAddRowsPrimitive,
  takeAlongLast: gather.takeAlongLastPrimitive,
  scatterAlongLast: gather.scatterAlongLastPrimitive,
  scatterAddLast: scatterAddLastPrimitive,
  rmsNorm: rmsNormPrimitive,
  layerNorm: layerNormPrimitive,
  rope: ropePrimitive,
  attention: attentionPrimitive,
  groupQueryAttention: groupQueryAttentionPrimitive,
} as const;

/** Names of all primitives. */
export type PrimitiveName = keyof typeof PRIMITIVES;
