/**
 * What the machine could do at best, measured beside the case that is held against it: the rate of one large matrix
 * product, and the time in which the matrices of a model multiply one vector, which is that of reading them once. Calls
 * alternate with those of the case, so that a neighbour's load slows both alike.
 * @module
 */
import { linear, lower, matmul, Trace, type Value } from "@/lib/autodiff/mod.ts";
import { type Model, parametersOf } from "@/lib/models/model.ts";
import { encodeModel } from "@/lib/onnx/encode.ts";
import { type PreparedRun, Session } from "@/lib/ort/session.ts";
import { TensorValue } from "@/lib/ort/tensor_value.ts";
import { hostTensor } from "@/lib/tensor/tensor.ts";
import { benchModel, fillUniform, randomWeights, type ShapeName, SHAPES } from "./shapes.ts";
import { summarise, timed } from "./timing.ts";

/** Figures of the ceilings: `gemm_gflops`, and `matvec_<shape>_ms` for each shape. */
export type CeilingFigures = Readonly<Record<string, number>>;

/** What is measured. */
export interface CeilingOptions {
  /** rows and columns of the product */
  readonly gemmSize: number;
  /** shapes whose matrices multiply a vector */
  readonly shapes: readonly ShapeName[];
}

/** The usual ceilings beside a case of `shape`. */
export function usualCeilings(shape: ShapeName): CeilingOptions {
  return { gemmSize: 2048, shapes: [...new Set([shape, "135m" as const])] };
}

/** Ceilings, compiled and warm. */
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

  /** Multiplies once. */
  gemm(): void {
    this.#gemmMs.push(timed(() => this.#gemm.run()));
  }

  /** Multiplies one vector by all matrices of `shape` once. */
  matvec(shape: ShapeName): void {
    const { run, ms } = this.#matvec.get(shape)!;
    ms.push(timed(() => run.run()));
  }

  /** All ceilings once. */
  all(): void {
    this.gemm();
    for (const shape of this.#matvec.keys()) this.matvec(shape);
  }

  /** Medians of what was measured. */
  figures(): CeilingFigures {
    const gemm = 2 * this.#gemmSize ** 3 / summarise(this.#gemmMs).median / 1e6;
    const matvec = [...this.#matvec].map(([name, { ms }]) =>
      [`matvec_${name}_ms`, summarise(ms).median] as const
    );
    return { gemm_gflops: gemm, ...Object.fromEntries(matvec) };
  }
}

/**
 * a[n,n] · b[n,n], both given at run time, as a train step's products are. The numbers are not zeros: with
 * buffers that were never written the product takes twice as long (measured; probably they are one page of memory over
 * and over).
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

/** Every matrix of the model by a vector of one token, the weights constants as the decoder's are. */
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
  // Not zeros: equal matrices take less than half the time (measured; as if one copy of them were kept).
  const parameters = randomWeights(model, 3);
  const initializers = Object.fromEntries(
    weights.map((
      { name, shape },
    ) => [name, new TensorValue(hostTensor("f32", shape, parameters.view(name)))]),
  );
  const session = new Session(encodeModel(graph), { initializers });
  return session.prepare(zeros(named(inputs.values())), zeros(Object.entries(outputs)));
}
