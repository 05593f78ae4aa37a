/** All primitives by name. A test fails for a primitive without a gradient check. @module */
import * as arithmetic from "./arithmetic.ts";
import { attentionPrimitive } from "./attention.ts";
import { equalPrimitive, greaterEqualPrimitive, toF32Primitive } from "./compare.ts";
import * as gather from "./gather.ts";
import { geluPrimitive, geluTanhPrimitive } from "./gelu.ts";
import { groupQueryAttentionPrimitive } from "./group_query_attention.ts";
import { layerNormPrimitive } from "./layer_norm.ts";
import { matmulPrimitive } from "./matmul.ts";
import { broadcastToPrimitive, reduceSumPrimitive } from "./reduce_sum.ts";
import { rmsNormPrimitive } from "./rms_norm.ts";
import { ropePrimitive } from "./rope.ts";
import { scatterAddLastPrimitive } from "./scatter_add_last.ts";
import * as sampling from "./sampling.ts";
import * as shape from "./shape.ts";
import { siluPrimitive } from "./silu.ts";
import { softmaxPrimitive } from "./softmax.ts";
import { tokenLogprobPrimitive } from "./token_logprob.ts";
import * as unary from "./unary.ts";

/** Every primitive of lib/compute/autodiff. */
export const PRIMITIVES = {
  add: arithmetic.addPrimitive,
  sub: arithmetic.subPrimitive,
  mul: arithmetic.mulPrimitive,
  div: arithmetic.divPrimitive,
  maximum: arithmetic.maximumPrimitive,
  minimum: arithmetic.minimumPrimitive,
  greaterEqual: greaterEqualPrimitive,
  equal: equalPrimitive,
  toF32: toF32Primitive,
  neg: arithmetic.negPrimitive,
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
  reshape: shape.reshapePrimitive,
  transpose: shape.transposePrimitive,
  broadcastTo: broadcastToPrimitive,
  slice: shape.slicePrimitive,
  pad: shape.padPrimitive,
  concat: shape.concatPrimitive,
  matmul: matmulPrimitive,
  softmax: softmaxPrimitive,
  tokenLogprob: tokenLogprobPrimitive,
  gatherRows: gather.gatherRowsPrimitive,
  scatterAddRows: gather.scatterAddRowsPrimitive,
  takeAlongLast: gather.takeAlongLastPrimitive,
  scatterAlongLast: gather.scatterAlongLastPrimitive,
  addToRows: gather.addToRowsPrimitive,
  replaceRows: gather.replaceRowsPrimitive,
  scatterAddLast: scatterAddLastPrimitive,
  argMax: sampling.argMaxPrimitive,
  topK: sampling.topKPrimitive,
  drawTokens: sampling.drawTokensPrimitive,
  rmsNorm: rmsNormPrimitive,
  layerNorm: layerNormPrimitive,
  rope: ropePrimitive,
  attention: attentionPrimitive,
  groupQueryAttention: groupQueryAttentionPrimitive,
} as const;
