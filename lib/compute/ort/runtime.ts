/**
 * The process-wide environment of ONNX Runtime: one thread pool for all sessions. A pool per session would leave the
 * spinning workers of idle sessions on the cores that the running session needs; measured, it halves the speed of
 * small graphs.
 * @module
 */
import { check, cString, ortApi, outPointer, type Pointer, written } from "./api.ts";

interface Runtime {
  readonly env: Pointer;
  readonly cpuMemory: Pointer;
  readonly threads: number;
}

let runtime: Runtime | undefined;

function start(threads: number): Runtime {
  const api = ortApi();
  const options = outPointer();
  check(api.createThreadingOptions(options));
  const threading = written(options);
  check(api.setGlobalIntraOpNumThreads(threading, threads));
  check(api.setGlobalInterOpNumThreads(threading, 1));
  // Spinning workers start the next operator without delay; with more threads than cores they would take time from others.
  check(api.setGlobalSpinControl(threading, threads <= navigator.hardwareConcurrency ? 1 : 0));
  const env = outPointer();
  const warnings = 3; // ORT_LOGGING_LEVEL_ERROR: warnings about unused initializers are expected
  check(api.createEnvWithGlobalThreadPools(warnings, cString("srppo"), threading, env));
  api.releaseThreadingOptions(threading);
  const memory = outPointer();
  check(api.createCpuMemoryInfo(0, 0, memory)); // device allocator, default memory
  return { env: written(env), cpuMemory: written(memory), threads };
}

/**
 * Sets the number of threads (default: all cores); must be called before the first session is created.
 * @throws {RangeError} if the runtime already has another number
 */
export function configureRuntime(options: { readonly threads: number }): void {
  if (runtime && runtime.threads !== options.threads) {
    throw new RangeError(
      `The number of threads of a process cannot change: it is ${runtime.threads}, got ${options.threads}`,
    );
  }
  runtime ??= start(options.threads);
}

/** Returns the environment; starts it with one thread per core if it was not configured. */
export function ortRuntime(): Runtime {
  return runtime ??= start(navigator.hardwareConcurrency);
}

/** Returns ONNX Runtime's description of its build: commit, options. */
export function buildInfo(): string {
  return Deno.UnsafePointerView.getCString(ortApi().getBuildInfoString()!);
}
