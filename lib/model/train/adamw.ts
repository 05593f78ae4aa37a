/**
 * AdamW on flat vectors (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2), updated in place by one elementwise
 * graph over chunks that stay in the cache. ε is added after the bias-corrected root, as PyTorch does.
 * @module
 */
import { add, div, mul, reduceSum, sqrt, sub, Trace } from "@/lib/compute/autodiff/mod.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import type { PreparedRun } from "@/lib/compute/ort/session.ts";
import { float32Of, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { CompiledGraph } from "./compiled_graph.ts";
import { cached } from "./graph_cache.ts";

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
function updateGraph(n: number, { beta1, beta2 }: AdamWOptions, decays: boolean): CompiledGraph {
  return cached(`adamw/${n}/${beta1}/${beta2}/${decays}`, () => {
    const trace = new Trace();
    const vector = (name: string) => trace.input(name, "f32", [n]);
    const scalar = (name: ScalarName) => trace.input(name, "f32", []);
    const w = vector("w"), g = vector("g"), m = vector("m"), v = vector("v");
    const newM = add(mul(m, beta1), mul(g, scalar("firstRate")));
    const newV = add(mul(v, beta2), mul(mul(g, g), scalar("secondRate")));
    const decayed = decays ? mul(w, scalar("decay")) : w;
    const newW = sub(decayed, div(mul(newM, scalar("stepSize")), add(sqrt(newV), scalar("floor"))));
    return new CompiledGraph({ name: "adamw", inputs: trace.inputs, outputs: { newW, newM, newV } });
  });
}

function squareSumGraph(n: number): CompiledGraph {
  return cached(`squareSum/${n}`, () => {
    const g = new Trace().input("g", "f32", [n]);
    return new CompiledGraph({ name: "square_sum", inputs: [g], outputs: { sum: reduceSum(mul(g, g)) } });
  });
}

interface ChunkRun {
  readonly squareSum: PreparedRun;
  readonly update: PreparedRun;
}

/** The optimizer of one parameter vector, with its moments. */
export class AdamW {
  readonly firstMoment: ParameterVector;
  readonly secondMoment: ParameterVector;
  /** number of steps so far */
  step = 0;
  readonly #options: AdamWOptions;
  readonly #scalars = Object.fromEntries(
    SCALARS.map((name) => [name, TensorValue.zeros("f32", [])]),
  ) as Record<ScalarName, TensorValue>;
  readonly #sum = TensorValue.zeros("f32", []);
  readonly #chunks: readonly ChunkRun[];

  constructor(
    parameters: ParameterVector,
    readonly gradients: ParameterVector,
    options: AdamWOptions,
  ) {
    this.#options = options;
    this.firstMoment = parameters.zeros();
    this.secondMoment = parameters.zeros();
    const chunksOf = (start: number, end: number, decays: boolean) =>
      Array.from({ length: Math.ceil((end - start) / CHUNK) }, (_, i): ChunkRun => {
        const from = start + i * CHUNK, n = Math.min(CHUNK, end - from);
        const [w, g, m, v] = [parameters, gradients, this.firstMoment, this.secondMoment].map(({ data }) =>
          new TensorValue(hostTensor("f32", [n], data.subarray(from, from + n)))
        ) as [TensorValue, TensorValue, TensorValue, TensorValue];
        const inputs = { w, g, m, v, ...this.#scalars };
        return {
          squareSum: squareSumGraph(n).prepare({ g }, { sum: this.#sum }),
          update: updateGraph(n, options, decays).prepare(inputs, { newW: w, newM: m, newV: v }),
        };
      });
    const { decayed, data: { length } } = parameters;
    this.#chunks = [
      ...chunksOf(0, decayed, options.weightDecay !== 0),
      ...chunksOf(decayed, length, false),
    ];
  }

  /** Returns the global L2 norm of the gradients. */
  gradNorm(): number {
    let sum = 0;
    for (const chunk of this.#chunks) {
      chunk.squareSum.run();
      sum += float32Of(this.#sum)[0]!;
    }
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
      const set = (name: ScalarName, value: number) => float32Of(this.#scalars[name])[0] = value;
      const clip = maxGradNorm === null ? 1 : Math.min(1, maxGradNorm / (norm + 1e-6));
      const root = Math.sqrt(1 - beta2 ** this.step);
      set("firstRate", (1 - beta1) * clip);
      set("secondRate", (1 - beta2) * clip * clip);
      set("decay", 1 - lr * weightDecay);
      set("stepSize", lr * root / (1 - beta1 ** this.step));
      set("floor", epsilon * root);
      for (const chunk of this.#chunks) chunk.update.run();
    }
    this.gradients.data.fill(0);
    return norm;
  }
}
