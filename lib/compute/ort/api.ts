/**
 * ONNX Runtime's C API, as typed functions over `Deno.dlopen`. `OrtGetApiBase()` leads to a table of function
 * pointers; the numbers below are 0-based indices into it, frozen by the ABI: ONNX Runtime only appends.
 * The library stays open for the life of the process: closing it while worker threads run crashes.
 * @module
 */
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { libraryPath, ORT_VERSION } from "./library.ts";

const API_VERSION = 30;

/** A native handle, or null. */
export type Pointer = Deno.PointerValue;

/** An error reported by ONNX Runtime. */
class OrtError extends Error {
  override name = "OrtError";
}

function openApi() {
  const library = Deno.dlopen(libraryPath(), { OrtGetApiBase: { parameters: [], result: "pointer" } });
  const base = new Deno.UnsafePointerView(library.symbols.OrtGetApiBase()!);
  const getApi = new Deno.UnsafeFnPointer(base.getPointer(0)!, { parameters: ["u32"], result: "pointer" });
  const api = getApi.call(API_VERSION);
  if (api === null) {
    throw new UnavailableError(
      `ONNX Runtime ${ORT_VERSION} or later is required (C API version ${API_VERSION}); ${libraryPath()} is older`,
    );
  }
  const table = new Deno.UnsafePointerView(api);
  const slot = <const P extends Deno.NativeType[], const R extends Deno.NativeResultType>(
    index: number,
    parameters: P,
    result: R,
  ) => {
    const fn = new Deno.UnsafeFnPointer(table.getPointer(index * 8)!, { parameters, result });
    return fn.call.bind(fn) as unknown as (
      ...args: Deno.ToNativeParameterTypes<P>
    ) => Deno.FromNativeResultType<R>;
  };
  // The comment after each line is the C signature without the leading OrtStatus*.
  return {
    getErrorMessage: slot(2, ["pointer"], "pointer"), // (status)
    createSessionFromArray: slot(8, ["pointer", "buffer", "usize", "pointer", "buffer"], "pointer"), // (env, model, bytes, options, out)
    run: slot(9, ["pointer", "pointer", "buffer", "buffer", "usize", "buffer", "usize", "buffer"], "pointer"), // (session, run options, names, values, n, names, n, values)
    createSessionOptions: slot(10, ["buffer"], "pointer"), // (out)
    enableProfiling: slot(14, ["pointer", "buffer"], "pointer"), // (options, prefix)
    setSessionGraphOptimizationLevel: slot(23, ["pointer", "u32"], "pointer"), // (options, level)
    createTensorWithData: slot(
      49,
      ["pointer", "buffer", "usize", "buffer", "usize", "i32", "buffer"],
      "pointer",
    ), // (memory info, data, bytes, shape, rank, type, out)
    createTensor: slot(48, ["pointer", "buffer", "usize", "i32", "buffer"], "pointer"), // (allocator, shape, rank, type, out)
    createTensorAt: slot(49, ["pointer", "pointer", "usize", "buffer", "usize", "i32", "buffer"], "pointer"), // the same, over an address
    getTensorMutableData: slot(51, ["pointer", "buffer"], "pointer"), // (value, out)
    createMemoryInfo: slot(68, ["buffer", "i32", "i32", "i32", "buffer"], "pointer"), // (name, allocator type, id, memory type, out)
    createCpuMemoryInfo: slot(69, ["i32", "i32", "buffer"], "pointer"), // (allocator type, memory type, out)
    getAllocator: slot(78, ["buffer"], "pointer"), // (out)
    releaseStatus: slot(93, ["pointer"], "void"),
    releaseSession: slot(95, ["pointer"], "void"),
    releaseValue: slot(96, ["pointer"], "void"),
    releaseSessionOptions: slot(100, ["pointer"], "void"),
    sessionEndProfiling: slot(110, ["pointer", "pointer", "buffer"], "pointer"), // (session, allocator, out)
    createEnvWithGlobalThreadPools: slot(119, ["i32", "buffer", "pointer", "buffer"], "pointer"), // (log level, id, threading, out)
    disablePerSessionThreads: slot(120, ["pointer"], "pointer"), // (options)
    createThreadingOptions: slot(121, ["buffer"], "pointer"), // (out)
    releaseThreadingOptions: slot(122, ["pointer"], "void"),
    addSessionConfigEntry: slot(130, ["pointer", "buffer", "buffer"], "pointer"), // (options, key, value)
    createAllocator: slot(131, ["pointer", "pointer", "buffer"], "pointer"), // (session, memory info, out)
    setGlobalIntraOpNumThreads: slot(147, ["pointer", "i32"], "pointer"), // (threading, n)
    setGlobalInterOpNumThreads: slot(148, ["pointer", "i32"], "pointer"), // (threading, n)
    setGlobalSpinControl: slot(149, ["pointer", "i32"], "pointer"), // (threading, allow)
    addExternalInitializers: slot(210, ["pointer", "buffer", "buffer", "usize"], "pointer"), // (options, names, values, n)
    appendExecutionProvider: slot(216, ["pointer", "buffer", "buffer", "buffer", "usize"], "pointer"), // (options, name, keys, values, n)
    getBuildInfoString: slot(254, [], "pointer"),
    copyTensors: slot(386, ["pointer", "buffer", "buffer", "pointer", "usize"], "pointer"), // (env, sources, targets, stream, n)
  };
}

let opened: ReturnType<typeof openApi> | undefined;

/** Returns the API table; the first call opens the library. */
export function ortApi(): ReturnType<typeof openApi> {
  return opened ??= openApi();
}

/** Throws the error of `status`; null is success. @throws {OrtError} with ONNX Runtime's message */
export function check(status: Pointer): void {
  if (status === null) return;
  const message = Deno.UnsafePointerView.getCString(ortApi().getErrorMessage(status)!);
  ortApi().releaseStatus(status);
  throw new OrtError(message);
}

/** Returns NUL-terminated UTF-8. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}

/** Returns a buffer to which the API writes one pointer. */
export function outPointer(): BigUint64Array<ArrayBuffer> {
  return new BigUint64Array(1);
}

/** Returns the pointer that was written to `out`. */
export function written(out: BigUint64Array<ArrayBuffer>): Pointer {
  return Deno.UnsafePointer.create(out[0]!);
}

/**
 * Returns the address of a buffer that the caller keeps alive. `.buffer` is touched first: V8 keeps short typed arrays inside
 * its moving heap until then.
 */
export function addressOf(view: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): bigint {
  void view.buffer;
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(view));
}
