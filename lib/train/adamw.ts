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

const SCALARS = ["clip", "decay", "stepSize", "rootScale"] as const;

/**
 * g ← clip·g; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← decay·w − stepSize·m / (rootScale·√v + ε),
 * with decay = 1 − lr·λ, stepSize = lr / (1−β₁ᵗ), rootScale = 1 / √(1−β₂ᵗ).
 */
function updateGraph(n: number, { beta1, beta2, epsilon }: AdamWOptions): Session {
  return cached(`adamw/${n}/${beta1}/${beta2}/${epsilon}`, () => {
    const trace = new Trace();
    const vector = (name: string) => trace.input(name, "f32", [n]);
    const [w, g, m, v] = ["w", "g", "m", "v"].map(vector) as [Value, Value, Value, Value];
    const [clip, decay, stepSize, rootScale] = SCALARS.map((name) => trace.input(name, "f32", [])) as [
      Value,
      Value,
      Value,
      Value,
    ];
    const clipped = mul(g, clip);
    const m1 = add(mul(m, beta1), mul(clipped, 1 - beta1));
    const v1 = add(mul(v, beta2), mul(mul(clipped, clipped), 1 - beta2));
    const w1 = sub(mul(w, decay), div(mul(m1, stepSize), add(mul(sqrt(v1), rootScale), epsilon)));
    const graph = lower({
      name: "adamw",
      inputs: [w, g, m, v, clip, decay, stepSize, rootScale],
      outputs: { w1, m1, v1 },
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
  readonly decays: boolean;
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
    this.#scalars = { clip: scalar(), decay: scalar(), stepSize: scalar(), rootScale: scalar() };
    const chunks: ChunkRun[] = [];
    const size = parameters.data.length, bounds = [0, parameters.decayed, size];
    for (let part = 0; part < 2; part++) {
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
          update: updateGraph(n, options).prepare({ w, g, m, v, ...this.#scalars }, { w1: w, m1: m, v1: v }),
          decays: part === 0,
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
   * @returns the gradient norm before clipping; where it is not finite nothing is updated
   */
  update(lr: number): number {
    const { beta1, beta2, weightDecay, maxGradNorm } = this.#options;
    const norm = this.gradNorm();
    if (Number.isFinite(norm)) {
      this.step++;
      const set = (name: (typeof SCALARS)[number], value: number) =>
        float32Of(this.#scalars[name])[0] = value;
      set("clip", maxGradNorm === null ? 1 : Math.min(1, maxGradNorm / (norm + 1e-6)));
      set("stepSize", lr / (1 - beta1 ** this.step));
      set("rootScale", 1 / Math.sqrt(1 - beta2 ** this.step));
      for (const chunk of this.#chunks) {
        set("decay", chunk.decays ? 1 - lr * weightDecay : 1);
        chunk.update.run();
      }
    }
    this.gradients.data.fill(0);
    return norm;
  }
}
