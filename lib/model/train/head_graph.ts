/** Final normalisation, output weights and a head program as one graph over a chunk of n tokens. @module */
import { linear, reshape, Trace, type Value } from "@/lib/compute/autodiff/mod.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import type { Model, PartParameters, PartValues } from "@/lib/model/models/model.ts";
import type { Shape } from "@/lib/compute/tensor/tensor.ts";
import { CompiledGraph, gradientGraph, weightInputs } from "./compiled_graph.ts";
import { cached } from "./graph_cache.ts";
import type { HeadInputs, HeadProgram } from "./head_program.ts";

/** A compiled head. */
export interface HeadGraph {
  readonly graph: CompiledGraph;
  /** per-token outputs: [n], or [n,K] */
  readonly tokenOutputs: readonly { readonly name: string; readonly shape: Shape }[];
  readonly hasLoss: boolean;
}

/** Size and trained weights of a head. */
export interface HeadUse {
  /** tokens */
  readonly n: number;
  /** parameters of the head that get gradients, the others are frozen; undefined: no backward pass */
  readonly trained: PartParameters | undefined;
  readonly place: Place;
}

/** Returns the parameters of the head that a program reads: those of the output, of the value head, or both. */
export function headPart({ head, valueHead }: Model, { output: which }: HeadProgram): PartParameters {
  if (which === undefined) return head;
  const { output: _, ...norm } = head;
  return { ...(which === "both" ? head : norm), value: valueHead! };
}

/** Returns the inputs of a program from the hidden states x. */
function projections(
  model: Model,
  weights: PartValues,
  x: Value,
  which: HeadProgram["output"],
): Pick<HeadInputs, "projected" | "values"> {
  const hidden = model.normalise(weights, x);
  const values = which && linear(hidden, reshape(weights.value!, [1, model.hiddenSize]));
  if (which === "value_head") return { projected: values! };
  return { projected: model.project(weights, hidden), ...(values && { values }) };
}

/**
 * Returns the head over n tokens. Inputs: x [n,C], weights w.*, token inputs t.*, scalars s.*, and with a backward pass
 * accumulators g.*; outputs: loss, o.*, and with a backward pass dx [n,C] and accumulators a.*. The logits are
 * intermediate values of the graph.
 */
export function headGraph(
  model: Model,
  signature: string,
  program: HeadProgram,
  { n, trained, place }: HeadUse,
): HeadGraph {
  const use = trained ? `train ${Object.keys(trained).join()}` : "plain";
  return cached(`${place.key}${signature}/head/${program.key}/${n}/${use}`, () => {
    const trace = new Trace(), x = trace.input("x", "f32", [n, model.hiddenSize]);
    const weights = weightInputs(trace, headPart(model, program));
    const tokens = Object.fromEntries(
      Object.entries(program.tokens).map(([name, dtype]) => [name, trace.input(`t.${name}`, dtype, [n])]),
    );
    const scalars = Object.fromEntries(
      program.scalars.map((name) => [name, trace.input(`s.${name}`, "f32", [])]),
    );
    const result = program.trace({ ...projections(model, weights, x, program.output), tokens, scalars });
    const outputs: Record<string, Value> = {};
    for (const [name, value] of Object.entries(result.tokens)) outputs[`o.${name}`] = value;
    if (result.loss) outputs.loss = result.loss;
    const gradients = trained &&
      gradientGraph({ output: result.loss!, cotangent: trace.scalar(1, "f32") }, x, weights, trained);
    const given = [weights, tokens, scalars].flatMap((values) => Object.values(values));
    return {
      graph: new CompiledGraph({
        name: `head_${program.key}`,
        inputs: [x, ...given, ...gradients?.inputs ?? []],
        outputs: { ...outputs, ...gradients?.outputs },
      }, { place }),
      tokenOutputs: Object.entries(result.tokens).map(([name, { shape }]) => ({ name, shape })),
      hasLoss: result.loss !== undefined,
    };
  });
}
