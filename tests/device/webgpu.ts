/** WebGPU on this machine, for tests. @module */
import { openDevice } from "@/lib/compute/devices/devices.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";

/** Printed where a test cannot run; .ci/run fails if it is. */
export const NOT_RUN = "not run: no Vulkan driver";

/** Returns WebGPU; prints {@linkcode NOT_RUN} and returns undefined where it is not available. */
export function webgpu(): Place | undefined {
  try {
    return openDevice("webgpu");
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    console.log(NOT_RUN);
    return undefined;
  }
}
