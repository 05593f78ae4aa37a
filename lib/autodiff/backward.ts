/** Reverse-mode differentiation: walks a trace from its end and adds the equations of the gradient to it. @module */
import { UnsupportedOpError } from "@/lib/tensor/errors.ts";
import { add } from "./primitives/arithmetic.ts";
import { isFloat } from "./primitive.ts";
import type { Equation, Value } from "./value.ts";

/** An output with what flows into it. */
export interface Seed {
  readonly output: Value;
  readonly cotangent: Value;
}

/**
 * Cotangents of `wrt` under Σ ⟨output, cotangent⟩ of the seeds. A value that the outputs do not depend on gets
 * undefined. The equations are appended to the trace of the outputs.
 */
export function backward(seeds: readonly Seed[], wrt: readonly Value[]): (Value | undefined)[] {
  const trace = seeds[0]!.output.trace;
  const cotangents = new Map<string, Value>();
  const accumulate = (value: Value, cotangent: Value) => {
    const before = cotangents.get(value.name);
    cotangents.set(value.name, before ? add(before, cotangent) : cotangent);
  };
  const reaches = new Set(wrt.map((v) => v.name)); // values that depend on wrt: the only ones worth a cotangent
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
        `Cannot differentiate ${primitive.name} as its vjp must give one cotangent per input: ` +
          `${outgoing.length} for ${inputs.length}`,
      );
    }
    outgoing.forEach((cotangent, i) => {
      if (cotangent && reaches.has(inputs[i]!.name)) accumulate(inputs[i]!, cotangent);
    });
  }
  return wrt.map((v) => cotangents.get(v.name));
}

/**
 * Values that equations from index `mark` on read and that earlier equations made: what a backward graph needs from
 * the forward one.
 * @param keep which of them are saved; the others are computed again from saved ones and inputs
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
