/**
 * Upper limits of speed on this machine: the rate of one large matrix product, and the time in which all matrices of a model
 * multiply one vector, which is the time to read them once. They are measured in turn with the case, so that the load of
 * other programs slows both equally.
 * @module
 */
import { linear, lower, matmul, Trace, type Value } from "@/lib/compute/autodiff/mod.ts";
import { type Model, parametersOf } from "@/lib/model/models/model.ts";
import { encodeModel } from "@/lib/compute/onnx/encode.ts";
import { type PreparedRun, Session } from "@/lib/compute/ort/session.ts";
import { TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { benchModel, fillUniform, randomWeights, type ShapeName, SHAPES } from "./shapes.ts";
import { summarise, timed } from "./timing.ts";

/** Measured ceilings: `gemm_gflops`, and `matvec_<shape>_ms` for each shape. */
export type CeilingValues = Readonly<Record<string, number>>;

/** Sizes of the ceilings. */
export interface CeilingOptions {
  /** rows and columns of the product */
  readonly gemmSize: number;
  /** shapes whose matrices multiply a vector */
  readonly shapes: readonly ShapeName[];
}

/** Returns the default ceilings of a case of `shape`. */
export function usualCeilings(shape: ShapeName): CeilingOptions {
  return { gemmSize: 2048, shapes: [...new Set([shape, "135m" as const])] };
}

/** Ceilings, compiled and run once. */
export class Ceilings {
  readonly #gemmSize: number;
  readonly #gemm: PreparedRun;
  readonly #gemmMs: number[] = [];
  readonly #matvec: ReadonlyMap<ShapeName, { readonly run: PreparedRun; readonly ms: number[] }>;

  constructor({ gemmSize, shapes }: CeilingOptions) {
    this.#gemmSize = gemmSize;
    this.#gemm = gemmRun(gemmSize);
    this.#gemm.run();
    this.#matvec = new Map(shapes.map((name) => {
      const run = matvecRun(benchModel(SHAPES[name], SHAPES[name].length));
      run.run();
      return [name, { run, ms: [] }];
    }));
  }

  /** Measures the matrix product once. */
  gemm(): void {
    this.#gemmMs.push(timed(() => this.#gemm.run()));
  }

  /** Measures the product of one vector with all matrices of `shape` once. */
  matvec(shape: ShapeName): void {
    const { run, ms } = this.#matvec.get(shape)!;
    ms.push(timed(() => run.run()));
  }

  /** Measures all ceilings once. */
  all(): void {
    this.gemm();
    for (const shape of this.#matvec.keys()) this.matvec(shape);
  }

  /** Returns the medians. */
  values(): CeilingValues {
    const gemm = 2 * this.#gemmSize ** 3 / summarise(this.#gemmMs).median / 1e6;
    const matvec = [...this.#matvec].map(([name, { ms }]) =>
      [`matvec_${name}_ms`, summarise(ms).median] as const
    );
    return { gemm_gflops: gemm, ...Object.fromEntries(matvec) };
  }
}

/**
 * Prepares a[n,n] · b[n,n], both inputs at run time, as the products of a train step are. The numbers are random: with
 * buffers that were never written the product takes twice as long (measured; probably all their pages are one page).
 */
function gemmRun(n: number): PreparedRun {
  const trace = new Trace(), shape = [n, n];
  const a = trace.input("a", "f32", shape), b = trace.input("b", "f32", shape);
  const session = new Session(
    encodeModel(lower({ name: "gemm", inputs: [a, b], outputs: { y: matmul(a, b) } })),
  );
  const filled = (seed: number) => {
    const data = new Float32Array(n * n);
    fillUniform(data, seed);
    return new TensorValue(hostTensor("f32", shape, data));
  };
  return session.prepare({ a: filled(4), b: filled(5) }, { y: TensorValue.zeros("f32", shape) });
}

/** Prepares the product of every matrix of the model with a vector of one token; weights are constants, as in decoding. */
function matvecRun(model: Model): PreparedRun {
  const trace = new Trace();
  const inputs = new Map<number, Value>();
  const weights: Value[] = [], outputs: Record<string, Value> = {};
  for (const { name, shape } of parametersOf(model)) {
    if (shape.length !== 2) continue;
    const width = shape[1]!;
    if (!inputs.has(width)) inputs.set(width, trace.input(`x${width}`, "f32", [1, width]));
    const weight = trace.input(name, "f32", shape);
    weights.push(weight);
    outputs[`y${weights.length}`] = linear(inputs.get(width)!, weight);
  }
  const graph = lower({ name: "matvec", inputs: [...inputs.values()], weights, outputs });
  const zeros = (values: Iterable<readonly [string, Value]>) =>
    Object.fromEntries([...values].map(([name, { shape }]) => [name, TensorValue.zeros("f32", shape)]));
  const named = (values: Iterable<Value>) => [...values].map((value) => [value.name, value] as const);
  // Random numbers: with equal matrices it takes less than half the time (measured; probably only one is stored).
  const parameters = randomWeights(model, 3);
  const initializers = Object.fromEntries(
    weights.map((
      { name, shape },
    ) => [name, new TensorValue(hostTensor("f32", shape, parameters.view(name)))]),
  );
  const session = new Session(encodeModel(graph), { initializers });
  return session.prepare(zeros(named(inputs.values())), zeros(Object.entries(outputs)));
}
