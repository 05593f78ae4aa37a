/** Final normalisation, output weights and a head program as one graph over a chunk of n tokens. @module */
import { add, backward, lower, Trace, type Value } from "@/lib/autodiff/mod.ts";
import type { Model, PartParameters } from "@/lib/models/model.ts";
import { encodeModel } from "@/lib/onnx/encode.ts";
import { Session } from "@/lib/ort/session.ts";
import type { Shape } from "@/lib/tensor/tensor.ts";
import { cached } from "./graph_cache.ts";
import type { HeadProgram } from "./head_program.ts";

/** A compiled head. */
export interface HeadGraph {
  readonly session: Session;
  readonly inputs: readonly string[];
  /** per-token outputs: [n], or [n,K] */
  readonly tokenOutputs: readonly { readonly name: string; readonly shape: Shape }[];
  readonly hasLoss: boolean;
}

/** What the graph of a head is made for. */
export interface HeadUse {
  /** tokens */
  readonly n: number;
  /** parameters of the head that get gradients, the others are frozen; undefined: there is no backward pass */
  readonly trained: PartParameters | undefined;
}

/**
 * The head over n tokens. Inputs: x [n,C], weights w.*, token inputs t.*, scalars s.*, and with a backward pass
 * accumulators g.*; outputs: loss, o.*, and with a backward pass dx [n,C] and accumulators a.*. Logits live inside the
 * graph only.
 */
export function headGraph(
  model: Model,
  signature: string,
  program: HeadProgram,
  { n, trained }: HeadUse,
): HeadGraph {
  const use = trained ? `train ${Object.keys(trained).join()}` : "plain";
  return cached(`${signature}/head/${program.key}/${n}/${use}`, () => {
    const trace = new Trace();
    const x = trace.input("x", "f32", [n, model.hiddenSize]);
    const weights = Object.entries(model.head).map(([local, { shape }]) =>
      [local, trace.input(`w.${local}`, "f32", shape)] as const
    );
    const parameters = Object.fromEntries(weights);
    const given = (prefix: string, entries: (readonly [string, "f32" | "i64", readonly number[]])[]) =>
      Object.fromEntries(
        entries.map(([name, dtype, shape]) => [name, trace.input(prefix + name, dtype, shape)]),
      );
    const tokens = given(
      "t.",
      Object.entries(program.tokens).map(([name, dtype]) => [name, dtype, [n]] as const),
    );
    const scalars = given("s.", program.scalars.map((name) => [name, "f32", []] as const));
    const projected = model.project(parameters, model.normalise(parameters, x));
    const result = program.trace({ projected, tokens, scalars });
    const outputs: Record<string, Value> = {};
    for (const [name, value] of Object.entries(result.tokens)) outputs[`o.${name}`] = value;
    if (result.loss) outputs.loss = result.loss;
    const accumulators: Value[] = [];
    if (trained) {
      const learning = weights.filter(([local]) => trained[local]);
      const seed = { output: result.loss!, cotangent: trace.scalar(1, "f32") };
      const [dx, ...gradients] = backward([seed], [x, ...learning.map(([, value]) => value)]);
      outputs.dx = dx!;
      learning.forEach(([local, { shape }], i) => {
        const accumulator = trace.input(`g.${local}`, "f32", shape);
        accumulators.push(accumulator);
        outputs[`a.${local}`] = add(accumulator, gradients[i]!);
      });
    }
    const inputs = [
      x,
      ...Object.values(parameters),
      ...Object.values(tokens),
      ...Object.values(scalars),
      ...accumulators,
    ];
    const graph = lower({ name: `head_${program.key}`, inputs, outputs });
    return {
      session: new Session(encodeModel(graph)),
      inputs: graph.inputs.map(({ name }) => name),
      tokenOutputs: Object.entries(result.tokens).map(([name, { shape }]) => ({ name, shape })),
      hasLoss: result.loss !== undefined,
    };
  });
}
