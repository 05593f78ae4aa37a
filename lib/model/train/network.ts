/**
 * A model with its weights on a device, ready to run: blocks and head as compiled graphs bound to buffers once per batch
 * shape. `run` goes forward, and backward where the network is trainable.
 * @module
 */
import { digestJson } from "@/lib/data/files/digest.ts";
import type { Model, PartParameters } from "@/lib/model/models/model.ts";
import { ParameterVector } from "@/lib/model/models/parameters.ts";
import { defaultPlace } from "@/lib/compute/ort/default_place.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import type { PreparedRun } from "@/lib/compute/ort/session.ts";
import { float32Of, type Tensor, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { hostTensor, type Shape, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { blockGraphs } from "./block_graphs.ts";
import type { TokenBatch } from "./embedding.ts";
import { deviceRows } from "./device_rows.ts";
import { headGraph, headPart } from "./head_graph.ts";
import type { HeadProgram } from "./head_program.ts";
import { HOST_ROWS } from "./host_rows.ts";
import { placedCopy, PlacedVector } from "./placed_vector.ts";
import { RecentlyUsed } from "./recently_used.ts";
import { type RowAngles, rowAngles } from "./row_angles.ts";
import type { RowOperations } from "./row_operations.ts";
import { workspaceGeneration, workspaceTensor } from "./workspace.ts";

/** Tokens per run of the head graph; the last chunk is padded to a multiple of CHUNK_STEP. */
const CHUNK = 1024, CHUNK_STEP = 128;

/** Plans per network. A plan refers to its graphs: a graph that left the cache is released when no plan has it. */
const MOST_PLANS = 64;

/** Buffers and bound runs for one batch shape. */
interface Plan {
  readonly x: Tensor;
  readonly last: Tensor;
  readonly dlast: Tensor;
  readonly dx: Tensor;
  readonly angles: RowAngles | undefined;
  readonly forward: readonly PreparedRun[];
  readonly backward: readonly PreparedRun[];
}

/** Per-token inputs of a head program, one element per position of the pass. */
export type TokenInputs = Readonly<Record<string, ArrayLike<number>>>;

/** Inputs of one pass. */
export interface Pass {
  readonly batch: TokenBatch;
  /** positions that go to the head, as indices into [B·T], ascending */
  readonly positions: Int32Array;
  readonly program: HeadProgram;
  readonly tokens: TokenInputs;
  readonly scalars?: Readonly<Record<string, number>>;
  /** adds the gradient of the loss to `gradients` */
  readonly train?: boolean;
  /**
   * called with the per-token outputs of each chunk and the first position of `positions` that it has; the outputs are then
   * not collected. For outputs of a whole vocabulary per token
   */
  readonly onChunk?: (start: number, tokens: Readonly<Record<string, Float32Array>>) => void;
}

/** Results of a pass. */
export interface PassResult {
  /** the program's loss, summed over chunks; 0 if it has none */
  readonly loss: number;
  /** the program's per-token outputs, row-major: one or several values per position */
  readonly tokens: Readonly<Record<string, Float32Array>>;
}

/** A model with weights and, where trainable, gradients. */
export class Network {
  /** in the processor's memory; on a device they are current after `pullGradients()` */
  readonly gradients: ParameterVector | undefined;
  readonly place: Place;
  /** the parameters on the device */
  readonly weights: PlacedVector;
  /** the gradients on the device */
  readonly placedGradients: PlacedVector | undefined;
  readonly #rows: RowOperations;
  readonly #signature: string;
  readonly #plans = new RecentlyUsed<Plan>(MOST_PLANS);
  /** workspace generation of the plans */
  #generation = 0;

  /**
   * @param parameters held, not copied: on the processor writing to them changes the network; on a device they are
   *   copied at the first run, see `pull()` and `push()`. A trainable network has gradients for them, and none for
   *   their backbone
   * @param options.place default: that of the process
   * @throws {DataError} if a trainable adapter has dropout
   */
  constructor(
    readonly model: Model,
    readonly parameters: ParameterVector,
    options: { readonly trainable?: boolean; readonly place?: Place } = {},
  ) {
    this.place = options.place ?? defaultPlace();
    if (options.trainable) checkTrainable(model);
    this.gradients = options.trainable ? parameters.zeros() : undefined;
    this.weights = options.trainable
      ? new PlacedVector(this.place, parameters)
      : placedCopy(this.place, parameters);
    this.placedGradients = this.gradients && new PlacedVector(this.place, this.gradients, { isZero: true });
    this.#rows = this.place.isHost ? HOST_ROWS : deviceRows(this.place);
    this.#signature = modelSignature(model);
  }

  /** Runs one micro-batch. */
  run(pass: Pass): PassResult {
    const { batch } = pass, train = pass.train === true;
    const plan = this.#plan(batch.rows, batch.length, train);
    this.#rows.embed(this.model.embeddings, this.weights, batch, plan.x);
    plan.angles?.fill(batch);
    for (const run of plan.forward) run.run();
    const result = this.#head(pass, plan, train);
    if (train) {
      for (const run of plan.backward) run.run();
      const trained = this.model.embeddings.filter(({ parameter }) => this.gradients!.has(parameter.name));
      this.#rows.embedBackward(trained, this.placedGradients!, batch, plan.dx);
    }
    return result;
  }

  /** Returns whether the process computes where this network is. */
  isAtDefaultPlace(): boolean {
    return this.place === defaultPlace();
  }

  /** Copies the weights from the device to `parameters`. */
  pull(): void {
    this.weights.pull();
  }

  /** Copies `parameters` to the device. */
  push(): void {
    this.weights.push();
  }

  /** Copies the gradients from the device to `gradients`. */
  pullGradients(): void {
    this.placedGradients?.pull();
  }

  /** Zeroes the gradients. */
  discardGradients(): void {
    this.gradients?.data.fill(0);
    this.placedGradients?.push();
  }

  /** Releases the device's memory of weights and gradients; the network must not be used afterwards. */
  [Symbol.dispose](): void {
    this.weights[Symbol.dispose]();
    this.placedGradients?.[Symbol.dispose]();
  }

  /** Returns the weights (`w.`), gradients to read (`g.`) or gradients to write (`a.`) of a part as bindings. */
  #bind(prefix: "w." | "g." | "a.", part: PartParameters): Record<string, Tensor> {
    const vector = prefix === "w." ? this.weights : this.placedGradients!;
    return Object.fromEntries(
      Object.entries(part).map(([local, { name }]) => [prefix + local, vector.value(name)]),
    );
  }

  /** Returns the parameters of a part that have gradients. */
  #trained(part: PartParameters): PartParameters {
    return Object.fromEntries(Object.entries(part).filter(([, { name }]) => this.gradients!.has(name)));
  }

  #plan(rows: number, length: number, train: boolean): Plan {
    while (true) {
      const generation = workspaceGeneration();
      if (generation !== this.#generation) this.#plans.clear(); // plans on outgrown buffers would keep them in memory
      this.#generation = generation;
      const plan = this.#plans.get(
        `${rows}x${length}/${train}`,
        () => this.#makePlan(rows, length, train),
      );
      // A buffer that grew while the plan was created is bound partly in its old and partly in its new place.
      if (generation === workspaceGeneration()) return plan;
    }
  }

  #makePlan(rows: number, length: number, train: boolean): Plan {
    const { model, place } = this, tokens = rows * length, shape = [tokens, model.hiddenSize];
    const workspaceValue = (name: string, shape: Shape) => workspaceTensor(place, name, shape);
    // Without a backward pass two alternating buffers are enough.
    const activation = (i: number) => workspaceValue(train ? `x${i}` : `turn${i % 2}`, shape);
    const acts = model.blocks.map((_, i) => activation(i)).concat(activation(model.blocks.length));
    const grads = [workspaceValue("dx0", shape), workspaceValue("dx1", shape)];
    const angles = rowAngles(model, tokens);
    const forward: PreparedRun[] = [], backward: PreparedRun[] = [];
    model.blocks.forEach((block, i) => {
      const trained = train ? this.#trained(block.parameters) : undefined;
      const graphs = blockGraphs(model, this.#signature, block, { rows, length, trained, place });
      const given = { x: acts[i]!, ...angles?.inputs, ...this.#bind("w.", block.parameters) };
      const saved = graphs.residuals.map(({ name, shape }) =>
        [name, workspaceValue(`r${i}.${name}`, shape)] as const
      );
      const kept = Object.fromEntries(saved.map(([name, value]) => [`r.${name}`, value]));
      forward.push(graphs.forward.prepare(given, { y: acts[i + 1]!, ...kept }));
      if (!trained) return;
      const dy = grads[(i + 1) % 2]!, dx = grads[i % 2]!;
      const inputs = { ...given, dy, ...this.#bind("g.", trained), ...Object.fromEntries(saved) };
      backward.unshift(graphs.backward!.prepare(inputs, { dx, ...this.#bind("a.", trained) }));
    });
    return {
      x: acts[0]!,
      last: acts.at(-1)!,
      dlast: grads[model.blocks.length % 2]!,
      dx: grads[0]!,
      angles,
      forward,
      backward,
    };
  }

  #head(pass: Pass, plan: Plan, train: boolean): PassResult {
    const { positions, program } = pass,
      { model, place } = this,
      width = model.hiddenSize,
      total = positions.length;
    const tokens: Record<string, Float32Array> = {};
    const part = headPart(model, program), trained = train ? this.#trained(part) : undefined;
    let loss = 0;
    for (let start = 0; start < total; start += CHUNK) {
      const count = Math.min(CHUNK, total - start), n = Math.ceil(count / CHUNK_STEP) * CHUNK_STEP;
      const use = { n, trained, place }, chunk = positions.subarray(start, start + count);
      const { graph, tokenOutputs, hasLoss } = headGraph(model, this.#signature, program, use);
      const x = workspaceTensor(place, "head.x", [n, width]),
        dx = workspaceTensor(place, "head.dx", [n, width]);
      this.#rows.gather(plan.last, chunk, x);
      const inputs: Record<string, Tensor> = {
        x,
        ...this.#bind("w.", part),
        ...programInputs(pass, start, count, n),
      };
      const figures: Record<string, TensorValue> = Object.fromEntries(
        tokenOutputs.map(({ name, shape }) => [`o.${name}`, TensorValue.zeros("f32", shape)]),
      );
      if (hasLoss) figures.loss = TensorValue.zeros("f32", []);
      const outputs: Record<string, Tensor> = { ...figures };
      if (trained) {
        Object.assign(inputs, this.#bind("g.", trained));
        Object.assign(outputs, { dx, ...this.#bind("a.", trained) });
      }
      graph.prepare(inputs, outputs).run();
      const results = Object.fromEntries(tokenOutputs.map(({ name, shape }) => {
        const size = sizeOf(shape) / n;
        return [name, float32Of(figures[`o.${name}`]!).subarray(0, count * size)] as const;
      }));
      pass.onChunk?.(start, results);
      for (const [name, values] of Object.entries(pass.onChunk ? {} : results)) {
        const size = values.length / count, all = tokens[name] ??= new Float32Array(total * size);
        all.set(values, start * size);
      }
      if (figures.loss) loss += float32Of(figures.loss)[0]!;
      if (train) this.#rows.scatter(dx, chunk, plan.dlast, start === 0);
    }
    if (train && total === 0) place.upload(hostTensor("f32", plan.dlast.shape), plan.dlast);
    return { loss, tokens };
  }
}

function checkTrainable({ adapter }: Model): void {
  const dropout = adapter?.config.dropout ?? 0;
  if (dropout === 0) return;
  throw new DataError(`lora_dropout of an adapter to be trained must be 0, got ${dropout}`);
}

/** Returns the token inputs `t.*` of a chunk, padded with zeros to n, and the scalars `s.*`. */
function programInputs({ program, tokens, scalars = {} }: Pass, start: number, count: number, n: number) {
  const inputs: Record<string, TensorValue> = {};
  for (const [name, dtype] of Object.entries(program.tokens)) {
    const tensor = hostTensor(dtype, [n]), values = tokens[name]!;
    for (let i = 0; i < count; i++) {
      tensor.data[i] = dtype === "f32" ? values[start + i]! : BigInt(values[start + i]!) as never;
    }
    inputs[`t.${name}`] = new TensorValue(tensor);
  }
  for (const name of program.scalars) {
    inputs[`s.${name}`] = new TensorValue(hostTensor("f32", [], Float32Array.of(scalars[name]!)));
  }
  return inputs;
}

/**
 * Returns a digest of the config: networks with equal digests share compiled graphs, because their configs describe
 * the same arithmetic.
 */
export function modelSignature(model: Model): string {
  const { architectures: _a, torch_dtype: _t, dtype: _d, num_labels: _n, ...config } = model.config as Record<
    string,
    unknown
  >;
  return digestJson({ config, headKind: model.headKind }).slice(0, 16);
}
