/** All primitives by name. A test fails for a primitive without a gradient check. @module */
import * as arithmetic from "@/lib/compute/autodiff/primitives/arithmetic.ts";
import { attentionPrimitive } from "@/lib/compute/autodiff/primitives/attention.ts";
import {
  equalPrimitive,
  greaterEqualPrimitive,
  toF32Primitive,
} from "@/lib/compute/autodiff/primitives/compare.ts";
import * as gather from "@/lib/compute/autodiff/primitives/gather.ts";
import { geluPrimitive, geluTanhPrimitive } from "@/lib/compute/autodiff/primitives/gelu.ts";
import { groupQueryAttentionPrimitive } from "@/lib/compute/autodiff/primitives/group_query_attention.ts";
import { layerNormPrimitive } from "@/lib/compute/autodiff/primitives/layer_norm.ts";
import { matmulPrimitive } from "@/lib/compute/autodiff/primitives/matmul.ts";
import { broadcastToPrimitive, reduceSumPrimitive } from "@/lib/compute/autodiff/primitives/reduce_sum.ts";
import { rmsNormPrimitive } from "@/lib/compute/autodiff/primitives/rms_norm.ts";
import { ropePrimitive } from "@/lib/compute/autodiff/primitives/rope.ts";
import { scatterAddLastPrimitive } from "@/lib/compute/autodiff/primitives/scatter_add_last.ts";
import * as sampling from "@/lib/compute/autodiff/primitives/sampling.ts";
import * as shape from "@/lib/compute/autodiff/primitives/shape.ts";
import { siluPrimitive } from "@/lib/compute/autodiff/primitives/silu.ts";
import { softmaxPrimitive } from "@/lib/compute/autodiff/primitives/softmax.ts";
import { tokenLogprobPrimitive } from "@/lib/compute/autodiff/primitives/token_logprob.ts";
import * as unary from "@/lib/compute/autodiff/primitives/unary.ts";

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
