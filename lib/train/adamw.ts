/**
 * AdamW on flat vectors (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2), updated in place by one elementwise
 * graph over chunks that stay in the cache. ε is added after the bias-corrected root, as PyTorch does.
 * @module
 */
import { add, div, mul, sqrt, sub, Trace, type Value } from "@/lib/autodiff/mod.ts";
import { lower } from "@/lib/autodiff/lower.ts";
import { reduceSum } from "@/lib/autodiff/mod.ts";
import type { ParameterVector } from "@/lib/models/parameters.ts";
import { encodeModel } from "@/lib/onnx/encode.ts";
import { type PreparedRun, Session } from "@/lib/ort/session.ts";
import { float32Of, TensorValue } from "@/lib/ort/tensor_value.ts";
import { hostTensor } from "@/lib/tensor/tensor.ts";
import { cached } from "./graph_cache.ts";

/** Elements per run of the update graph: four vectors of it fit a core's second-level cache. */
const CHUNK = 65536;

/** Constants of the optimizer. */
export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** decoupled decay per step is lr · weightDecay; on matrices only */
  readonly weightDecay: number;
  /** gradients are scaled down to this global norm; null leaves them */
  readonly maxGradNorm: number | null;
}

const SCALARS = ["firstRate", "secondRate", "decay", "stepSize", "floor"] as const;

/**
 * m ← β₁m + firstRate·g; v ← β₂v + secondRate·g²; w ← decay·w − stepSize·m / (√v + floor), where g is the gradient before
 * clipping. With c the clipping factor and r = √(1−β₂ᵗ), the scalars make that the algorithm's step: firstRate = (1−β₁)c,
 * secondRate = (1−β₂)c², decay = 1 − lr·λ, stepSize = lr·r / (1−β₁ᵗ), floor = ε·r. Every factor that is moved from a
 * vector to a scalar saves a pass over it; these passes are what the optimizer's time goes into.
 */
function updateGraph(n: number, { beta1, beta2 }: AdamWOptions, decays: boolean): Session {
  return cached(`adamw/${n}/${beta1}/${beta2}/${decays}`, () => {
    const trace = new Trace();
    const vector = (name: string) => trace.input(name, "f32", [n]);
    const [w, g, m, v] = ["w", "g", "m", "v"].map(vector) as [Value, Value, Value, Value];
    const [firstRate, secondRate, decay, stepSize, floor] = SCALARS.map((name) =>
      trace.input(name, "f32", [])
    ) as [Value, Value, Value, Value, Value];
    const m1 = add(mul(m, beta1), mul(g, firstRate));
    const v1 = add(mul(v, beta2), mul(mul(g, g), secondRate));
    const w1 = sub(decays ? mul(w, decay) : w, div(mul(m1, stepSize), add(sqrt(v1), floor)));
    const graph = lower({
      name: "adamw",
      inputs: [w, g, m, v, firstRate, secondRate, ...(decays ? [decay] : []), stepSize, floor],
      outputs: { newW: w1, newM: m1, newV: v1 },
    });
    return new Session(encodeModel(graph));
  });
}

function squareSumGraph(n: number): Session {
  return cached(`squareSum/${n}`, () => {
    const trace = new Trace(), g = trace.input("g", "f32", [n]);
    return new Session(
      encodeModel(lower({ name: "square_sum", inputs: [g], outputs: { sum: reduceSum(mul(g, g)) } })),
    );
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
  /** steps made */
  step = 0;
  readonly #options: AdamWOptions;
  readonly #scalars: Record<(typeof SCALARS)[number], TensorValue>;
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
    const scalar = () => TensorValue.zeros("f32", []);
    this.#scalars = {
      firstRate: scalar(),
      secondRate: scalar(),
      decay: scalar(),
      stepSize: scalar(),
      floor: scalar(),
    };
    const { decay, ...others } = this.#scalars;
    const chunks: ChunkRun[] = [];
    const size = parameters.data.length, bounds = [0, parameters.decayed, size];
    for (let part = 0; part < 2; part++) {
      const decays = part === 0 && options.weightDecay !== 0;
      const scalars = decays ? { ...others, decay } : others;
      for (let start = bounds[part]!; start < bounds[part + 1]!; start += CHUNK) {
        const n = Math.min(CHUNK, bounds[part + 1]! - start);
        const value = (vector: ParameterVector) =>
          new TensorValue(hostTensor("f32", [n], vector.data.subarray(start, start + n)));
        const [w, g, m, v] = [parameters, gradients, this.firstMoment, this.secondMoment].map(value) as [
          TensorValue,
          TensorValue,
          TensorValue,
          TensorValue,
        ];
        chunks.push({
          squareSum: squareSumGraph(n).prepare({ g }, { sum: this.#sum }),
          update: updateGraph(n, options, decays).prepare({ w, g, m, v, ...scalars }, {
            newW: w,
            newM: m,
            newV: v,
          }),
        });
      }
    }
    this.#chunks = chunks;
  }

  /** The global L2 norm of the gradients. */
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
   * @param norm of the gradients, where it is known already
   * @returns the gradient norm before clipping; where it is not finite nothing is updated
   */
  update(lr: number, norm = this.gradNorm()): number {
    const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = this.#options;
    if (Number.isFinite(norm)) {
      this.step++;
      const set = (name: (typeof SCALARS)[number], value: number) =>
        float32Of(this.#scalars[name])[0] = value;
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
