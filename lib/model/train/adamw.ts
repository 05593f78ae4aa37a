/**
 * AdamW on flat vectors (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2), updated in place by one elementwise
 * graph over chunks that stay in the cache. ε is added after the bias-corrected root, as PyTorch does.
 * @module
 */
import { add, div, mul, reduceSum, sqrt, sub, Trace } from "@/lib/compute/autodiff/mod.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import type { PreparedRun } from "@/lib/compute/ort/session.ts";
import { float32Of, type Tensor, type TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { CompiledGraph } from "./compiled_graph.ts";
import { cached } from "./graph_cache.ts";
import { PlacedVector } from "./placed_vector.ts";
import { zeroing } from "./zeros.ts";

/** Elements per run of the update graph: four vectors of it fit a core's second-level cache. */
const CHUNK = 65536;

/** Constants of the optimizer. */
export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** decoupled decay of matrices per step: lr · weightDecay */
  readonly weightDecay: number;
  /** gradients are clipped to this global norm; null: not clipped */
  readonly maxGradNorm: number | null;
}

const SCALARS = ["firstRate", "secondRate", "decay", "stepSize", "floor"] as const;
type ScalarName = (typeof SCALARS)[number];

/**
 * m ← β₁m + firstRate·g; v ← β₂v + secondRate·g²; w ← decay·w − stepSize·m / (√v + floor), where g is the gradient before
 * clipping. With c the clipping factor and r = √(1−β₂ᵗ), the scalars make that the algorithm's step: firstRate = (1−β₁)c,
 * secondRate = (1−β₂)c², decay = 1 − lr·λ, stepSize = lr·r / (1−β₁ᵗ), floor = ε·r. Most of the optimizer's time is passes
 * over vectors: every factor that is moved from a vector to a scalar saves one.
 */
function updateGraph(
  place: Place,
  n: number,
  { beta1, beta2 }: AdamWOptions,
  decays: boolean,
): CompiledGraph {
  return cached(`${place.key}adamw/${n}/${beta1}/${beta2}/${decays}`, () => {
    const trace = new Trace();
    const vector = (name: string) => trace.input(name, "f32", [n]);
    const scalar = (name: ScalarName) => trace.input(name, "f32", []);
    const w = vector("w"), g = vector("g"), m = vector("m"), v = vector("v");
    const newM = add(mul(m, beta1), mul(g, scalar("firstRate")));
    const newV = add(mul(v, beta2), mul(mul(g, g), scalar("secondRate")));
    const decayed = decays ? mul(w, scalar("decay")) : w;
    const newW = sub(decayed, div(mul(newM, scalar("stepSize")), add(sqrt(newV), scalar("floor"))));
    const bounds = { name: "adamw", inputs: trace.inputs, outputs: { newW, newM, newV } };
    return new CompiledGraph(bounds, { place });
  });
}

/** sum = before + Σ g²; on the processor without `before`: there the sum over parts is in f64. */
function squareSumGraph(place: Place, n: number): CompiledGraph {
  return cached(`${place.key}squareSum/${n}`, () => {
    const trace = new Trace(), g = trace.input("g", "f32", [n]), squares = reduceSum(mul(g, g));
    const sum = place.isHost ? squares : add(trace.input("before", "f32", []), squares);
    return new CompiledGraph({ name: "square_sum", inputs: trace.inputs, outputs: { sum } }, { place });
  });
}

interface ChunkRun {
  readonly squareSum: PreparedRun;
  readonly update: PreparedRun;
  /** undefined on the processor, which fills the vector */
  readonly zero: PreparedRun | undefined;
}

/** Weights and their gradients, as a `Network` has them. */
export interface Trained {
  readonly weights: PlacedVector;
  readonly placedGradients: PlacedVector | undefined;
}

/** The optimizer of one parameter vector, with its moments. */
export class AdamW {
  readonly firstMoment: ParameterVector;
  readonly secondMoment: ParameterVector;
  /** number of steps so far */
  step = 0;
  readonly #options: AdamWOptions;
  readonly #place: Place;
  readonly #gradients: PlacedVector;
  readonly #moments: readonly [PlacedVector, PlacedVector];
  readonly #scalars: Readonly<Record<ScalarName, Tensor>>;
  readonly #sum: Tensor;
  readonly #chunks: readonly ChunkRun[];

  /**
   * @param trained both vectors are updated where they are; the moments are there too
   * @param moments first and second, if they are known; used without a copy, zeros by default
   * @throws {RangeError} if there are no gradients
   */
  constructor(
    { weights, placedGradients: gradients }: Trained,
    options: AdamWOptions,
    moments: readonly [ParameterVector, ParameterVector] = [weights.host.zeros(), weights.host.zeros()],
  ) {
    if (!gradients) {
      throw new RangeError("An optimizer requires a trainable network, got one without gradients");
    }
    this.#options = options;
    const place = this.#place = weights.place;
    this.#gradients = gradients;
    [this.firstMoment, this.secondMoment] = moments;
    this.#moments = [new PlacedVector(place, this.firstMoment), new PlacedVector(place, this.secondMoment)];
    this.#scalars = Object.fromEntries(SCALARS.map((name) => [name, place.zeros("f32", [])])) as Record<
      ScalarName,
      Tensor
    >;
    const sum = this.#sum = place.zeros("f32", []);
    const parts = [weights, gradients, ...this.#moments].map((vector) => vector.parts(CHUNK));
    this.#chunks = parts[0]!.map(({ tensor: w, decays }, i): ChunkRun => {
      const [g, m, v] = parts.slice(1).map((vector) => vector[i]!.tensor) as [Tensor, Tensor, Tensor];
      const n = w.shape[0]!, inputs = { w, g, m, v, ...this.#scalars };
      const update = updateGraph(place, n, options, decays && options.weightDecay !== 0);
      return {
        squareSum: squareSumGraph(place, n).prepare({ g, before: sum }, { sum }),
        update: update.prepare(inputs, { newW: w, newM: m, newV: v }),
        // A graph of its own: as another output of the update it could be written before the gradient is read.
        zero: place.isHost ? undefined : zeroing(place, g),
      };
    });
  }

  /** gradients in the processor's memory; on a device they are current after `pullGradients()` */
  get gradients(): ParameterVector {
    return this.#gradients.host;
  }

  /** Returns the global L2 norm of the gradients. */
  gradNorm(): number {
    let sum = 0;
    if (!this.#place.isHost) this.#place.upload(hostTensor("f32", []), this.#sum);
    for (const chunk of this.#chunks) {
      chunk.squareSum.run();
      if (this.#place.isHost) sum += float32Of(this.#sum as TensorValue)[0]!;
    }
    if (!this.#place.isHost) sum = Number(this.#place.download(this.#sum).data[0]);
    return Math.sqrt(sum);
  }

  /**
   * Clips, updates the parameters at learning rate `lr`, and zeroes the gradients.
   * @param norm gradient norm, if already known
   * @returns the gradient norm before clipping; if it is not finite, the parameters are not updated
   */
  update(lr: number, norm = this.gradNorm()): number {
    const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = this.#options;
    if (Number.isFinite(norm)) {
      this.step++;
      const set = (name: ScalarName, value: number) => {
        this.#place.upload(hostTensor("f32", [], Float32Array.of(value)), this.#scalars[name]);
      };
      const clip = maxGradNorm === null ? 1 : Math.min(1, maxGradNorm / (norm + 1e-6));
      const root = Math.sqrt(1 - beta2 ** this.step);
      set("firstRate", (1 - beta1) * clip);
      set("secondRate", (1 - beta2) * clip * clip);
      set("decay", 1 - lr * weightDecay);
      set("stepSize", lr * root / (1 - beta1 ** this.step));
      set("floor", epsilon * root);
      for (const chunk of this.#chunks) chunk.update.run();
    }
    this.discard();
    return norm;
  }

  /** Zeroes the gradients. */
  discard(): void {
    if (this.#place.isHost) this.gradients.data.fill(0);
    for (const chunk of this.#chunks) chunk.zero?.run();
  }

  /** Copies the gradients from the device to `gradients`. */
  pullGradients(): void {
    this.#gradients.pull();
  }

  /** Copies the moments from the device to `firstMoment` and `secondMoment`. */
  pull(): void {
    for (const moment of this.#moments) moment.pull();
  }

  /** Keeps the moments on the device; see `PlacedVector.keep()`. */
  keep(): void {
    for (const moment of this.#moments) moment.keep();
  }

  /** Releases the device's memory of the moments. */
  [Symbol.dispose](): void {
    for (const moment of this.#moments) moment[Symbol.dispose]();
  }

  /** Copies `firstMoment` and `secondMoment` to the device. */
  push(): void {
    for (const moment of this.#moments) moment.push();
  }
}
