/** Reverse-mode differentiation: walks a trace backwards and adds the equations of the gradient to it. @module */
import { UnsupportedOpError } from "@/lib/compute/tensor/errors.ts";
import { add } from "./primitives/arithmetic.ts";
import { isFloat } from "./primitive.ts";
import type { Equation, Value } from "./value.ts";

/** An output and its cotangent. */
export interface Seed {
  readonly output: Value;
  readonly cotangent: Value;
}

/**
 * Returns the gradients of Σ ⟨output, cotangent⟩ with respect to `wrt`; undefined for a value that the outputs do not
 * depend on. The equations are appended to the trace of the outputs.
 */
export function backward(seeds: readonly Seed[], wrt: readonly Value[]): (Value | undefined)[] {
  const trace = seeds[0]!.output.trace;
  const cotangents = new Map<string, Value>();
  const accumulate = (value: Value, cotangent: Value) => {
    const before = cotangents.get(value.name);
    cotangents.set(value.name, before ? add(before, cotangent) : cotangent);
  };
  const reaches = new Set(wrt.map((v) => v.name)); // values that depend on wrt: no others need a cotangent
  for (const { inputs, outputs } of trace.equations) {
    if (inputs.some((v) => reaches.has(v.name))) {
      for (const v of outputs) if (isFloat(v.dtype)) reaches.add(v.name);
    }
  }
  for (const { output, cotangent } of seeds) accumulate(output, cotangent);
  for (const equation of trace.equations.slice().reverse()) {
    const { primitive, params, inputs, outputs } = equation;
    const incoming = outputs.map((v) => cotangents.get(v.name));
    if (incoming.every((c) => c === undefined) || !inputs.some((v) => reaches.has(v.name))) continue;
    const outgoing = primitive.vjp({ inputs, outputs, params, cotangents: incoming });
    if (outgoing.length !== inputs.length) {
      throw new UnsupportedOpError(
        `${primitive.name}: vjp must return one cotangent per input, got ${outgoing.length} for ${inputs.length}`,
      );
    }
    outgoing.forEach((cotangent, i) => {
      if (cotangent && reaches.has(inputs[i]!.name)) accumulate(inputs[i]!, cotangent);
    });
  }
  return wrt.map((v) => cotangents.get(v.name));
}

/**
 * Returns the values that equations before index `mark` compute and later ones read: what the forward graph saves for
 * the backward graph.
 * @param keep which of them are saved; the others are recomputed from saved values and inputs
 */
export function residuals(
  equations: readonly Equation[],
  mark: number,
  wanted: readonly Value[],
  keep: (equation: Equation) => boolean,
): Value[] {
  const madeBy = new Map<string, { equation: Equation; index: number }>();
  equations.forEach((equation, index) =>
    equation.outputs.forEach((v) => madeBy.set(v.name, { equation, index }))
  );
  const saved = new Map<string, Value>(), seen = new Set<string>();
  const visit = (value: Value) => {
    if (seen.has(value.name)) return;
    seen.add(value.name);
    const made = madeBy.get(value.name);
    if (!made) return; // an input or a constant
    if (made.index < mark && keep(made.equation)) saved.set(value.name, value);
    else made.equation.inputs.forEach(visit);
  };
  wanted.forEach(visit);
  return [...saved.values()];
}
