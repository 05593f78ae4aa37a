/**
 * A device that is the processor: memory and sessions are those of the CPU provider, but this program must treat them as a
 * device's. It runs everything that a device runs, except the device's own kernels, on every machine.
 * @module
 */
import { Place } from "@/lib/compute/ort/place.ts";
import { CPU, WEBGPU } from "@/lib/compute/ort/provider.ts";

/** Returns a stand-in with the given missing operators. */
function standIn(device: string, lacks: ReadonlySet<string>): Place {
  return new Place({ ...CPU, device, isHost: false, offsets: false, lacks });
}

/** All kernels of the CPU provider. */
export const STAND_IN = standIn("stand-in", new Set());

/** The graphs that WebGPU runs: its missing and wrong operators are composed of others. */
export const COMPOSED = standIn("composed", WEBGPU.lacks);

/** The same, for recording equations: graphs that other tests compiled for `COMPOSED` would not be lowered again. */
export const RECORDED = standIn("recorded", WEBGPU.lacks);
