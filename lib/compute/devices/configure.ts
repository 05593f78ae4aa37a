/** Settings of a process that computes. @module */
import { useDevice } from "./devices.ts";
import { configureRuntime } from "@/lib/compute/ort/runtime.ts";

/**
 * Sets the number of threads, and the device of networks and generators created from now on.
 * @param options.device default: the processor
 * @param tell called with what the user should know of the device
 * @throws {RangeError} if the process already has another number of threads
 * @throws {UnavailableError} if there is no such device, or it has wrong kernels
 */
export function configureCompute(
  { threads, device = "cpu" }: { readonly threads: number; readonly device?: string | undefined },
  tell: (line: string) => void,
): void {
  configureRuntime({ threads });
  useDevice(device, tell);
}
