/** Graphs of parts of a model, compiled: weights are inputs, and gradients are added to accumulators. @module */
import { add, backward, lower, type Trace, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { PartParameters } from "@/lib/model/models/model.ts";
import { encodeModel } from "@/lib/compute/onnx/encode.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import { type Bindings, type PreparedRun, Session, type SessionOptions } from "@/lib/compute/ort/session.ts";

/** A graph as a session, with the names of the inputs that it needs. */
export class CompiledGraph {
  readonly session: Session;
  /** inputs that the graph needs */
  readonly inputNames: readonly string[];

  constructor(
    bounds: Parameters<typeof lower>[0],
    options: SessionOptions & { readonly place?: Place } = {},
  ) {
    const graph = lower(bounds, options.place);
    this.session = new Session(encodeModel(graph), options);
    this.inputNames = graph.inputs.map(({ name }) => name);
  }

  /** Binds the outputs, and those of `inputs` that the graph needs. */
  prepare(inputs: Bindings, outputs: Bindings): PreparedRun {
    const needed = Object.fromEntries(this.inputNames.map((name) => [name, inputs[name]!]));
    return this.session.prepare(needed, outputs);
  }
}

/** Adds an input `w.<local>` for every weight of a part. */
export function weightInputs(trace: Trace, part: PartParameters): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(part).map(([local, { shape }]) => [local, trace.input(`w.${local}`, "f32", shape)]),
  );
}

/** A backward pass over a part: the inputs that it adds to the graph, and its outputs. */
export interface GradientGraph {
  /** accumulators `g.<local>` of the trained weights */
  readonly inputs: readonly Value[];
  /** `dx`, and the updated accumulators `a.<local>` */
  readonly outputs: Readonly<Record<string, Value>>;
}

/** Adds the gradients of ⟨output, cotangent⟩ with respect to `x` and the trained weights. */
export function gradientGraph(
  seed: { readonly output: Value; readonly cotangent: Value },
  x: Value,
  weights: Readonly<Record<string, Value>>,
  trained: PartParameters,
): GradientGraph {
  const locals = Object.keys(weights).filter((local) => trained[local]);
  const [dx, ...gradients] = backward([seed], [x, ...locals.map((local) => weights[local]!)]);
  const inputs = locals.map((local) => x.trace.input(`g.${local}`, "f32", weights[local]!.shape));
  const outputs: Record<string, Value> = { dx: dx! };
  locals.forEach((local, i) => outputs[`a.${local}`] = add(inputs[i]!, gradients[i]!));
  return { inputs, outputs };
}
