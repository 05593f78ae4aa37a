/**
 * A compiled graph and its runs: inputs and outputs are bound to tensors once, then a run costs a few microseconds above
 * its arithmetic.
 * @module
 */
import { addressOf, check, cString, ortApi, outPointer, type Pointer, written } from "./api.ts";
import { joinProfile, type ProfiledSession } from "./profiling.ts";
import { ortRuntime } from "./runtime.ts";
import type { TensorValue } from "./tensor_value.ts";

/** How a session is compiled. */
export interface SessionOptions {
  /**
   * weights for initializers that the graph declares with external data. ONNX Runtime shares them, but may keep
   * repacked copies: later changes of these buffers have no effect
   */
  readonly initializers?: Readonly<Record<string, TensorValue>>;
  /** false: run the graph as it is (some of ONNX Runtime's fusions have no f64 kernel); default true */
  readonly optimize?: boolean;
}

/** Tensors by the names of the graph's inputs or outputs. */
export type Bindings = Readonly<Record<string, TensorValue>>;

/** A run with bound inputs and outputs. */
export interface PreparedRun {
  /** Computes the outputs into their bound buffers. Blocks the thread. */
  run(): void;
}

const released = new FinalizationRegistry<Pointer>((handle) => ortApi().releaseSession(handle));

/** A session on the CPU provider. */
export class Session implements Disposable {
  #handle: Pointer;
  readonly #kept: unknown[] = [];
  readonly #names = new Map<string, bigint>();
  readonly #profiled: ProfiledSession | undefined;

  /** @throws {OrtError} if the model is not valid */
  constructor(model: Uint8Array<ArrayBuffer>, options: SessionOptions = {}) {
    const api = ortApi(), { env } = ortRuntime();
    const made = outPointer();
    check(api.createSessionOptions(made));
    const native = written(made);
    check(api.disablePerSessionThreads(native));
    check(api.setSessionGraphOptimizationLevel(native, options.optimize === false ? 0 : 99));
    const profiled = joinProfile();
    if (profiled) check(api.enableProfiling(native, cString(profiled.prefix)));
    const weights = Object.entries(options.initializers ?? {});
    if (weights.length > 0) {
      const names = BigUint64Array.from(weights, ([name]) => this.#nameAddress(name));
      const values = BigUint64Array.from(weights, ([, value]) => value.handle);
      check(api.addExternalInitializers(native, names, values, BigInt(weights.length)));
      this.#kept.push(weights);
    }
    const out = outPointer();
    try {
      check(api.createSessionFromArray(env, model, BigInt(model.byteLength), native, out));
    } finally {
      api.releaseSessionOptions(native);
    }
    this.#handle = written(out);
    released.register(this, this.#handle, this);
    this.#profiled = profiled;
    profiled?.opened(() => this.#endProfiling());
  }

  #nameAddress(name: string): bigint {
    let address = this.#names.get(name);
    if (address === undefined) {
      const bytes = cString(name);
      this.#kept.push(bytes);
      address = addressOf(bytes);
      this.#names.set(name, address);
    }
    return address;
  }

  /**
   * Binds every input and output. Shapes must be exactly those of the graph. The tensors stay alive as long as the
   * returned run. An output may share its buffer with an input if the graph's last read of it is the elementwise node
   * that writes it; nothing checks that.
   */
  prepare(inputs: Bindings, outputs: Bindings): PreparedRun {
    const address = (name: string) => this.#nameAddress(name);
    const inputNames = BigUint64Array.from(Object.keys(inputs), address);
    const outputNames = BigUint64Array.from(Object.keys(outputs), address);
    const inputValues = BigUint64Array.from(Object.values(inputs), (value) => value.handle);
    const outputValues = BigUint64Array.from(Object.values(outputs), (value) => value.handle);
    const inputCount = BigInt(inputNames.length), outputCount = BigInt(outputNames.length);
    const api = ortApi(), session = this as Session;
    return {
      run(): void {
        check(api.run(
          session.#handle,
          null,
          inputNames,
          inputValues,
          inputCount,
          outputNames,
          outputCount,
          outputValues,
        ));
        void inputs, void outputs; // held by this closure: their buffers must outlive the call
      },
    };
  }

  /** Binds and runs once. */
  run(inputs: Bindings, outputs: Bindings): void {
    this.prepare(inputs, outputs).run();
  }

  /** Completes the file of the profile. */
  #endProfiling(): void {
    const allocator = outPointer(), path = outPointer();
    check(ortApi().getAllocator(allocator));
    check(ortApi().sessionEndProfiling(this.#handle, written(allocator), path));
  }

  [Symbol.dispose](): void {
    if (!released.unregister(this)) return;
    this.#profiled?.closed(); // releasing the session ends its profile
    ortApi().releaseSession(this.#handle);
    this.#handle = null;
  }
}
