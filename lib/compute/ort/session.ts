/**
 * A compiled graph and its runs: inputs and outputs are bound to tensors once, then a run costs a few microseconds above
 * its arithmetic.
 * @module
 */
import { addressOf, check, cString, ortApi, outPointer, type Pointer, written } from "./api.ts";
import { joinProfile, type ProfiledSession } from "./profiling.ts";
import { ortRuntime } from "./runtime.ts";
import type { Provider } from "./provider.ts";
import { type Tensor, TensorValue } from "./tensor_value.ts";

/** Bytes that crossed between the processor's memory and a device's. */
export interface Traffic {
  readonly uploaded: number;
  readonly downloaded: number;
}

/** What a session needs of the place that computes. */
interface SessionPlace {
  readonly provider: Provider;
  readonly isHost: boolean;
  /** Counts bytes that a run copies. */
  count(traffic: Traffic): void;
}

/** How a session is compiled. */
export interface SessionOptions {
  /**
   * weights for initializers that the graph declares with external data. ONNX Runtime shares them, but may keep
   * repacked copies: later changes of these buffers have no effect
   */
  readonly initializers?: Readonly<Record<string, TensorValue>>;
  /** false: run the graph as it is (some of ONNX Runtime's fusions have no f64 kernel); default true */
  readonly optimize?: boolean;
  /** device that computes; default: the processor */
  readonly place?: SessionPlace;
}

/** Tensors by the names of the graph's inputs or outputs. */
export type Bindings = Readonly<Record<string, Tensor>>;

/** A run with bound inputs and outputs. */
export interface PreparedRun {
  /** Computes the outputs into their bound buffers. Blocks the thread. */
  run(): void;
}

const released = new FinalizationRegistry<Pointer>((handle) => ortApi().releaseSession(handle));

/** A compiled graph on a device. */
export class Session implements Disposable {
  #handle: Pointer;
  readonly #kept: unknown[] = [];
  readonly #names = new Map<string, bigint>();
  readonly #profiled: ProfiledSession | undefined;
  readonly #place: SessionPlace | undefined;

  /** @throws {OrtError} if the model is not valid, or has an operator that the device does not have */
  constructor(model: Uint8Array<ArrayBuffer>, options: SessionOptions = {}) {
    const api = ortApi(), { env } = ortRuntime();
    const made = outPointer();
    check(api.createSessionOptions(made));
    const native = written(made);
    check(api.disablePerSessionThreads(native));
    check(api.setSessionGraphOptimizationLevel(native, options.optimize === false ? 0 : 99));
    const place = this.#place = options.place?.isHost ? undefined : options.place;
    if (place) appendProvider(native, place.provider);
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

  /** The native session, for allocators that belong to it. */
  get handle(): Pointer {
    return this.#handle;
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
    const api = ortApi(), session = this as Session, place = this.#place;
    const crossing: Traffic | undefined = place &&
      { uploaded: hostBytes(inputs), downloaded: hostBytes(outputs) };
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
        if (crossing) place!.count(crossing);
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

/** Appends an execution provider with its options to those of a session. */
function appendProvider(native: Pointer, { name, options, config }: Provider): void {
  const api = ortApi();
  if (name === "") return;
  const texts = (words: readonly string[]) => words.map(cString);
  const keys = texts(Object.keys(options)), values = texts(Object.values(options));
  const addresses = (words: readonly Uint8Array<ArrayBuffer>[]) =>
    BigUint64Array.from([...words.map(addressOf), 0n]);
  const count = BigInt(keys.length);
  check(api.appendExecutionProvider(native, cString(name), addresses(keys), addresses(values), count));
  void keys, void values; // their addresses are read by the call
  for (const [key, value] of Object.entries(config)) {
    check(api.addSessionConfigEntry(native, cString(key), cString(value)));
  }
}

/** Returns the bytes of the tensors in the processor's memory. */
function hostBytes(bindings: Bindings): number {
  let bytes = 0;
  for (const value of Object.values(bindings)) {
    if (value instanceof TensorValue) bytes += value.data.byteLength;
  }
  return bytes;
}
