/**
 * A model with its weights, ready to run: embeddings on the host, blocks and head as compiled graphs bound to buffers
 * once per batch shape. `run` goes forward, and backward where the network is trainable.
 * @module
 */
import { digestJson } from "@/lib/files/digest.ts";
import type { Model, PartParameters } from "@/lib/models/model.ts";
import { ParameterVector } from "@/lib/models/parameters.ts";
import type { PreparedRun } from "@/lib/ort/session.ts";
import { float32Of, TensorValue } from "@/lib/ort/tensor_value.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { hostTensor, sizeOf } from "@/lib/tensor/tensor.ts";
import { blockGraphs } from "./block_graphs.ts";
import { embed, embedBackward, type TokenBatch } from "./embedding.ts";
import { headGraph } from "./head_graph.ts";
import type { HeadProgram } from "./head_program.ts";
import { type RowAngles, rowAngles } from "./row_angles.ts";
import { workspaceGeneration, workspaceValue } from "./workspace.ts";

/** Tokens that go through the head at a time; a last chunk is padded up to a multiple of CHUNK_STEP. */
const CHUNK = 1024, CHUNK_STEP = 128;

/** Buffers and bound runs for one batch shape. */
interface Plan {
  readonly generation: number;
  readonly x: Float32Array;
  readonly last: Float32Array;
  readonly dlast: Float32Array;
  readonly dx: Float32Array;
  readonly angles: RowAngles | undefined;
  readonly forward: readonly PreparedRun[];
  readonly backward: readonly PreparedRun[];
}

/** Per-token inputs of a head program, one element per position that counts. */
export type TokenInputs = Readonly<Record<string, ArrayLike<number>>>;

/** What a pass is asked to do. */
export interface Pass {
  readonly batch: TokenBatch;
  /** positions that go to the head, as indices into [B·T], ascending */
  readonly positions: Int32Array;
  readonly program: HeadProgram;
  readonly tokens: TokenInputs;
  readonly scalars?: Readonly<Record<string, number>>;
  /** adds the gradient of the loss to `gradients` */
  readonly train?: boolean;
}

/** Figures of a pass. */
export interface PassResult {
  /** the program's loss, summed over chunks; 0 where it has none */
  readonly loss: number;
  /** the program's per-token outputs, row-major: one figure per position, or as many as the program gives a token */
  readonly tokens: Readonly<Record<string, Float32Array>>;
}

/** A model with weights and, where trainable, gradients. */
export class Network {
  readonly gradients: ParameterVector | undefined;
  readonly #signature: string;
  readonly #values = new Map<string, TensorValue>();
  readonly #plans = new Map<string, Plan>();

  /**
   * @param parameters held, not copied: writing to them changes the network. A trainable network has gradients for
   *   them, and none for their backbone
   * @throws {DataError} if an adapter is to be trained whose training drops inputs
   */
  constructor(
    readonly model: Model,
    readonly parameters: ParameterVector,
    options: { readonly trainable?: boolean } = {},
  ) {
    if (options.trainable) checkTrainable(model);
    this.gradients = options.trainable ? parameters.zeros() : undefined;
    this.#signature = modelSignature(model);
  }

  /** One pass over one micro-batch. */
  run(pass: Pass): PassResult {
    const { batch } = pass, train = pass.train === true;
    const plan = this.#plan(batch.rows, batch.length, train);
    embed(this.model.embeddings, this.parameters, batch, plan.x);
    plan.angles?.fill(batch);
    for (const run of plan.forward) run.run();
    if (train) plan.dlast.fill(0);
    const result = this.#head(pass, plan, train);
    if (train) {
      for (const run of plan.backward) run.run();
      const trained = this.model.embeddings.filter(({ parameter }) => this.gradients!.has(parameter.name));
      embedBackward(trained, this.gradients!, batch, plan.dx);
    }
    return result;
  }

  /** Weights of a part as bindings under `prefix`. */
  #bind(
    prefix: string,
    part: PartParameters,
    vector: ParameterVector,
    kind: "w" | "g",
  ): Record<string, TensorValue> {
    return Object.fromEntries(
      Object.entries(part).map(([local, { name, shape }]) => {
        const key = `${kind}:${name}`;
        let value = this.#values.get(key);
        if (!value) {
          this.#values.set(key, value = new TensorValue(hostTensor("f32", shape, vector.view(name))));
        }
        return [prefix + local, value];
      }),
    );
  }

  /** Those of a part that have gradients. */
  #trained(part: PartParameters): PartParameters {
    return Object.fromEntries(Object.entries(part).filter(([, { name }]) => this.gradients!.has(name)));
  }

  #plan(rows: number, length: number, train: boolean): Plan {
    const key = `${rows}x${length}/${train}`;
    const known = this.#plans.get(key);
    if (known && known.generation === workspaceGeneration()) return known;
    let plan = this.#makePlan(rows, length, train);
    // Growing a buffer while the plan was made leaves it with both the old and the new one: make it again.
    if (plan.generation !== workspaceGeneration()) plan = this.#makePlan(rows, length, train);
    this.#plans.set(key, plan);
    return plan;
  }

  #makePlan(rows: number, length: number, train: boolean): Plan {
    const { model } = this, tokens = rows * length, shape = [tokens, model.hiddenSize];
    const generation = workspaceGeneration();
    // Without a backward pass two buffers taking turns are enough.
    const activation = (i: number) => workspaceValue(train ? `x${i}` : `turn${i % 2}`, shape);
    const acts = model.blocks.map((_, i) => activation(i)).concat(activation(model.blocks.length));
    const grads = [workspaceValue("dx0", shape), workspaceValue("dx1", shape)];
    const angles = rowAngles(model, tokens);
    const forward: PreparedRun[] = [], backward: PreparedRun[] = [];
    model.blocks.forEach((block, i) => {
      const trained = train ? this.#trained(block.parameters) : undefined;
      const graphs = blockGraphs(model, this.#signature, block, { rows, length, trained });
      const weights = this.#bind("w.", block.parameters, this.parameters, "w");
      const saved = graphs.residuals.map(({ name, shape }) =>
        [name, workspaceValue(`r${i}.${name}`, shape)] as const
      );
      const pick = (names: readonly string[], from: Record<string, TensorValue>) =>
        Object.fromEntries(names.map((name) => [name, from[name]!]));
      const residualOutputs = Object.fromEntries(saved.map(([name, value]) => [`r.${name}`, value]));
      forward.push(graphs.forward.prepare(
        pick(graphs.forwardInputs, { x: acts[i]!, ...angles?.inputs, ...weights }),
        { y: acts[i + 1]!, ...residualOutputs },
      ));
      if (!trained) return;
      const accumulators = this.#bind("g.", trained, this.gradients!, "g");
      const outputs = this.#bind("a.", trained, this.gradients!, "g");
      const inputs = {
        x: acts[i]!,
        ...angles?.inputs,
        ...weights,
        dy: grads[(i + 1) % 2]!,
        ...accumulators,
        ...Object.fromEntries(saved),
      };
      backward.unshift(
        graphs.backward.prepare(pick(graphs.backwardInputs, inputs), { dx: grads[i % 2]!, ...outputs }),
      );
    });
    return {
      generation,
      x: float32Of(acts[0]!),
      last: float32Of(acts.at(-1)!),
      dlast: float32Of(grads[model.blocks.length % 2]!),
      dx: float32Of(grads[0]!),
      angles,
      forward,
      backward,
    };
  }

  #head({ positions, program, tokens, scalars = {} }: Pass, plan: Plan, train: boolean): PassResult {
    const { model } = this, width = model.hiddenSize, total = positions.length;
    const results: Record<string, Float32Array> = {};
    const trained = train ? this.#trained(model.head) : undefined;
    let loss = 0;
    for (let start = 0; start < total; start += CHUNK) {
      const count = Math.min(CHUNK, total - start);
      const n = Math.ceil(count / CHUNK_STEP) * CHUNK_STEP;
      const graph = headGraph(model, this.#signature, program, { n, trained });
      const x = workspaceValue("head.x", [n, width]), dx = workspaceValue("head.dx", [n, width]);
      const rows = float32Of(x);
      for (let i = 0; i < count; i++) {
        const from = positions[start + i]! * width;
        rows.set(plan.last.subarray(from, from + width), i * width);
      }
      rows.fill(0, count * width);
      const inputs: Record<string, TensorValue> = {
        x,
        ...this.#bind("w.", model.head, this.parameters, "w"),
      };
      for (const [name, dtype] of Object.entries(program.tokens)) {
        inputs[`t.${name}`] = new TensorValue(
          hostTensor(dtype, [n], chunkOf(tokens[name]!, dtype, start, count, n)),
        );
      }
      for (const name of program.scalars) {
        inputs[`s.${name}`] = new TensorValue(hostTensor("f32", [], Float32Array.of(scalars[name]!)));
      }
      const outputs: Record<string, TensorValue> = {};
      for (const { name, shape } of graph.tokenOutputs) {
        outputs[`o.${name}`] = TensorValue.zeros("f32", shape);
      }
      if (graph.hasLoss) outputs.loss = TensorValue.zeros("f32", []);
      if (trained) {
        Object.assign(inputs, this.#bind("g.", trained, this.gradients!, "g"));
        Object.assign(outputs, { dx, ...this.#bind("a.", trained, this.gradients!, "g") });
      }
      graph.session.run(Object.fromEntries(graph.inputs.map((name) => [name, inputs[name]!])), outputs);
      for (const { name, shape } of graph.tokenOutputs) {
        const width = sizeOf(shape) / n;
        const all = results[name] ??= new Float32Array(total * width);
        all.set(float32Of(outputs[`o.${name}`]!).subarray(0, count * width), start * width);
      }
      if (outputs.loss) loss += float32Of(outputs.loss)[0]!;
      if (train) {
        const gradient = float32Of(dx);
        for (let i = 0; i < count; i++) {
          plan.dlast.set(gradient.subarray(i * width, (i + 1) * width), positions[start + i]! * width);
        }
      }
    }
    return { loss, tokens: results };
  }
}

function checkTrainable({ adapter }: Model): void {
  const dropout = adapter?.config.dropout ?? 0;
  if (dropout === 0) return;
  throw new DataError(`Cannot train the adapter as its lora_dropout must be 0: it is ${dropout}`);
}

function chunkOf(values: ArrayLike<number>, dtype: "f32" | "i64", start: number, count: number, n: number) {
  const out = dtype === "f32" ? new Float32Array(n) : new BigInt64Array(n);
  for (let i = 0; i < count; i++) {
    out[i] = dtype === "f32" ? values[start + i]! : BigInt(values[start + i]!) as never;
  }
  return out;
}

/** Networks with one signature share compiled graphs: their configs describe the same arithmetic. */
export function modelSignature(model: Model): string {
  const { architectures: _a, torch_dtype: _t, dtype: _d, num_labels: _n, ...config } = model.config as Record<
    string,
    unknown
  >;
  return digestJson({ config, headKind: model.headKind }).slice(0, 16);
}
