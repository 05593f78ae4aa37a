/**
 * Equations as texts: primitive, parameters and types of the inputs. While they are recorded, every equation that becomes
 * part of a graph is noted once; a device is checked with them.
 * @module
 */
import { showType } from "@/lib/compute/tensor/tensor.ts";
import type { Equation } from "./value.ts";

let active: Set<string> | undefined;

/** Records the equations of all graphs until `stop` is called. @returns `stop`, which returns them, sorted */
export function recordEquations(): () => string[] {
  const recorded = active = new Set<string>();
  return () => {
    if (active === recorded) active = undefined;
    return [...recorded].sort();
  };
}

/** Notes an equation, if they are recorded. */
export function recordLowered({ primitive, params, inputs }: Equation): void {
  if (!active) return;
  const types = inputs.map(({ dtype, shape }) => showType(dtype, shape));
  active.add([primitive.name, JSON.stringify(params), ...types].join(" "));
}
