/** Settings of a process that computes. @module */
import { useDevice } from "./devices.ts";
import { configureRuntime } from "./runtime.ts";

/**
 * Sets the number of threads, and the device of networks and generators created from now on.
 * @param options.device default: the processor
 * @returns what the user should know of the device; nothing if it was opened before
 * @throws {RangeError} if the process already has another number of threads
 * @throws {UnavailableError} if there is no such device
 */
export function configureCompute(
  { threads, device = "cpu" }: { readonly threads: number; readonly device?: string | undefined },
): readonly string[] {
  configureRuntime({ threads });
  return useDevice(device);
}
