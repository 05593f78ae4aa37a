/**
 * Remembers which devices were checked, per version of ONNX Runtime, driver and list of equations, in the cache folder of
 * node_modules: a new installation checks again.
 * @module
 */
import { createHash } from "node:crypto";
import { ORT_VERSION } from "@/lib/compute/ort/library.ts";
import type { WrongKernel } from "./conformance.ts";

/** Commands that may compute on a device may write this folder. */
const DEVICE_CACHE = new URL("../../../node_modules/.cache/srppo", import.meta.url).pathname;

const FILE = `${DEVICE_CACHE}/devices.json`;

/** Results by device. */
type Results = Readonly<Record<string, { readonly version: string; readonly wrong: readonly WrongKernel[] }>>;

/** Returns the version of what was checked: ONNX Runtime, the driver's devices, and the equations. */
export function checkedVersion(drivers: readonly string[], equations: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify([ORT_VERSION, drivers, equations])).digest("hex");
}

/** Returns the wrong kernels that an earlier process found; undefined if this version was not checked. */
export function knownResult(device: string, version: string): readonly WrongKernel[] | undefined {
  const found = read()[device];
  return found?.version === version ? found.wrong : undefined;
}

/** Remembers a result; does nothing where the folder cannot be written. */
export function rememberResult(device: string, version: string, wrong: readonly WrongKernel[]): void {
  try {
    const results: Results = { ...read(), [device]: { version, wrong } };
    Deno.mkdirSync(DEVICE_CACHE, { recursive: true });
    const partial = `${FILE}.${Deno.pid}.partial`;
    Deno.writeTextFileSync(partial, JSON.stringify(results));
    Deno.renameSync(partial, FILE);
  } catch {
    // Read-only, or no permission: the next process checks again.
  }
}

function read(): Results {
  try {
    return JSON.parse(Deno.readTextFileSync(FILE)) as Results;
  } catch {
    return {}; // nothing was checked, or the file is not readable
  }
}
