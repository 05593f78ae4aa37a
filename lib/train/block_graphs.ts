/**
 * One decoder block, compiled for B rows of T tokens: a forward graph, and a backward graph that also adds the weight
 * gradients to accumulators in place. All layers of one kind run these two with their own buffers bound, so compile
 * time does not grow with depth.
 * @module
 */
import { add, backward, type Equation, lower, residuals, Trace, type Value } from "@/lib/autodiff/mod.ts";
import { causalAttention } from "@/lib/models/causal_attention.ts";
import type { Block, Model, PartParameters } from "@/lib/models/model.ts";
import { encodeModel } from "@/lib/onnx/encode.ts";
import { Session } from "@/lib/ort/session.ts";
import type { Shape } from "@/lib/tensor/tensor.ts";
import { cached } from "./graph_cache.ts";
import { stretchedRope } from "./row_angles.ts";

/** A saved intermediate: the output of the forward graph and input of the backward graph under one name. */
export interface Residual {
  readonly name: string;
  readonly shape: Shape;
}

/** Compiled graphs of one block kind at one batch shape. */
export interface BlockGraphs {
  /** x, weights and angles (cos, sin) where rows have their own → y and residuals */
  readonly forward: Session;
  /** x, weights, residuals, dy, accumulators g.<weight> of trained ones → dx, accumulators */
  readonly backward: Session;
  /** saved by the forward graph where there is a backward one */
  readonly residuals: readonly Residual[];
  readonly backwardInputs: readonly string[];
  readonly forwardInputs: readonly string[];
}

/**
 * What the forward pass saves for the backward pass: results of matrix products and of what reduces. The rest is
 * elementwise and computed again: measured, that is as fast as reading it back and needs half the memory.
 */
const SAVED = new Set(["matmul", "attention", "rmsNorm", "layerNorm", "rope"]);

function isSaved({ primitive }: Equation): boolean {
  return SAVED.has(primitive.name);
}

/** What the graphs of a block are made for. */
export interface BlockUse {
  readonly rows: number;
  readonly length: number;
  /** parameters of the block that get gradients, the others are frozen; undefined: there is no backward pass */
  readonly trained: PartParameters | undefined;
}

/** Graphs of `block` for B rows of T tokens. */
export function blockGraphs(
  model: Model,
  signature: string,
  block: Block,
  { rows, length, trained }: BlockUse,
): BlockGraphs {
  const use = trained ? `save ${Object.keys(trained).join()}` : "plain";
  return cached(`${signature}/${block.kind}/${rows}x${length}/${use}`, () => {
    const trace = new Trace(), tokens = rows * length;
    const x = trace.input("x", "f32", [tokens, model.hiddenSize]);
    const weights = Object.entries(block.parameters).map(([local, { shape }]) =>
      [local, trace.input(`w.${local}`, "f32", shape)] as const
    );
    const stretched = stretchedRope(model), table = [tokens, stretched?.frequencies.length ?? 0];
    const angles = stretched &&
      { cos: trace.input("cos", "f32", table), sin: trace.input("sin", "f32", table) };
    const context = causalAttention(trace, rows, length, { angles });
    const y = model.applyBlock(block, Object.fromEntries(weights), x, context);
    const weightValues = weights.map(([, value]) => value);
    const given = [x, ...Object.values(angles ?? {}), ...weightValues];
    const mark = trace.equations.length;
    if (!trained) {
      const graph = lower({ name: "block", inputs: given, outputs: { y } });
      const session = new Session(encodeModel(graph));
      const inputs = graph.inputs.map(({ name }) => name);
      return {
        forward: session,
        backward: session,
        residuals: [],
        forwardInputs: inputs,
        backwardInputs: [],
      };
    }
    const dy = trace.input("dy", "f32", y.shape);
    const learning = weights.filter(([local]) => trained[local]);
    const wanted = [x, ...learning.map(([, value]) => value)];
    const gradients = backward([{ output: y, cotangent: dy }], wanted) as Value[];
    const accumulators = learning.map(([local, { shape }]) => trace.input(`g.${local}`, "f32", shape));
    const outputs: Record<string, Value> = { dx: gradients[0]! };
    learning.forEach(([local], i) => outputs[`a.${local}`] = add(accumulators[i]!, gradients[i + 1]!));
    const saved = residuals(trace.equations, mark, Object.values(outputs), isSaved);
    const forwardGraph = lower({
      name: "block",
      inputs: given,
      outputs: { y, ...Object.fromEntries(saved.map((v) => [`r.${v.name}`, v])) },
    });
    const backwardGraph = lower({
      name: "block_backward",
      inputs: [...given, dy, ...accumulators, ...saved],
      outputs,
    });
    return {
      forward: new Session(encodeModel(forwardGraph)),
      backward: new Session(encodeModel(backwardGraph)),
      residuals: saved.map(({ name, shape }) => ({ name, shape })),
      forwardInputs: forwardGraph.inputs.map(({ name }) => name),
      backwardInputs: backwardGraph.inputs.map(({ name }) => name),
    };
  });
}
