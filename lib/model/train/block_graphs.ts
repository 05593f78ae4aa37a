/**
 * One decoder block, compiled for B rows of T tokens: a forward graph, and a backward graph that also adds the weight
 * gradients to accumulators in place. All layers of one kind run the same two graphs with their own buffers bound, so
 * compile time does not grow with depth.
 * @module
 */
import { type Equation, residuals, Trace } from "@/lib/compute/autodiff/mod.ts";
import { causalAttention } from "@/lib/model/models/causal_attention.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import type { Block, Model, PartParameters } from "@/lib/model/models/model.ts";
import type { Shape } from "@/lib/compute/tensor/tensor.ts";
import { CompiledGraph, gradientGraph, weightInputs } from "./compiled_graph.ts";
import { cached } from "./graph_cache.ts";
import { stretchedRope } from "./row_angles.ts";

/** A saved intermediate: output `r.<name>` of the forward graph and input `<name>` of the backward graph. */
export interface Residual {
  readonly name: string;
  readonly shape: Shape;
}

/** Compiled graphs of one block kind at one batch shape. */
export interface BlockGraphs {
  /** x, weights w.*, angles (cos, sin) where rows have their own → y and residuals */
  readonly forward: CompiledGraph;
  /** x, weights, residuals, dy, accumulators g.* of trained weights → dx, updated accumulators a.* */
  readonly backward?: CompiledGraph;
  /** empty without a backward graph */
  readonly residuals: readonly Residual[];
}

/**
 * Results that the forward pass saves for the backward pass: those of matrix products and of reductions. The others are
 * elementwise and recomputed: measured, that is as fast as reading them back and needs half the memory.
 */
const SAVED = new Set(["matmul", "attention", "rmsNorm", "layerNorm", "rope"]);

function isSaved({ primitive }: Equation): boolean {
  return SAVED.has(primitive.name);
}

/** Batch shape and trained weights of a block. */
export interface BlockUse {
  readonly rows: number;
  readonly length: number;
  /** parameters of the block that get gradients, the others are frozen; undefined: no backward pass */
  readonly trained: PartParameters | undefined;
  readonly place: Place;
}

/** Returns the graphs of `block` for B rows of T tokens. */
export function blockGraphs(
  model: Model,
  signature: string,
  block: Block,
  { rows, length, trained, place }: BlockUse,
): BlockGraphs {
  const use = trained ? `save ${Object.keys(trained).join()}` : "plain";
  return cached(`${place.key}${signature}/${block.kind}/${rows}x${length}/${use}`, (): BlockGraphs => {
    const trace = new Trace(), tokens = rows * length;
    const x = trace.input("x", "f32", [tokens, model.hiddenSize]);
    const weights = weightInputs(trace, block.parameters);
    const stretched = stretchedRope(model), table = [tokens, stretched?.frequencies.length ?? 0];
    const angles = stretched &&
      { cos: trace.input("cos", "f32", table), sin: trace.input("sin", "f32", table) };
    const y = model.applyBlock(block, weights, x, causalAttention(trace, rows, length, { angles }));
    const given = [x, ...Object.values(angles ?? {}), ...Object.values(weights)];
    if (!trained) {
      const bounds = { name: "block", inputs: given, outputs: { y } };
      return { forward: new CompiledGraph(bounds, { place }), residuals: [] };
    }
    const mark = trace.equations.length, dy = trace.input("dy", "f32", y.shape);
    const { inputs: accumulators, outputs } = gradientGraph(
      { output: y, cotangent: dy },
      x,
      weights,
      trained,
    );
    const saved = residuals(trace.equations, mark, Object.values(outputs), isSaved);
    return {
      forward: new CompiledGraph({
        name: "block",
        inputs: given,
        outputs: { y, ...Object.fromEntries(saved.map((v) => [`r.${v.name}`, v])) },
      }, { place }),
      backward: new CompiledGraph({
        name: "block_backward",
        inputs: [...given, dy, ...accumulators, ...saved],
        outputs,
      }, { place }),
      residuals: saved.map(({ name, shape }) => ({ name, shape })),
    };
  });
}
