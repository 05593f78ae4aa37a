/**
 * Compares reverse-mode gradients with central differences along a random direction (Autograd's test): for random u
 * and v, ⟨u, J·v⟩ must equal ⟨Jᵀu, v⟩, where J·v is (f(x + εv) − f(x − εv)) / 2ε.
 * @module
 */
import { evaluate, evaluateVjp, type TracedFunction } from "@/tests/support/evaluate.ts";
import { type HostTensor, hostTensor } from "@/lib/compute/tensor/tensor.ts";

/** Returns a linear congruential generator: tests need repeatable numbers of no particular quality. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** Returns an f64 tensor with elements uniform in [low, high). */
export function randomTensor(shape: readonly number[], next: () => number, low = -1, high = 1): HostTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return hostTensor("f64", shape, Float64Array.from({ length: size }, () => low + (high - low) * next()));
}

const dot = (a: HostTensor, b: HostTensor) => {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += Number(a.data[i]) * Number(b.data[i]);
  return sum;
};

/**
 * Returns the relative difference between ⟨u, J·v⟩ by central differences and ⟨Jᵀu, v⟩ by `backward`.
 * @param wrt which inputs are varied (default: all of f64)
 */
export function gradientError(
  fn: TracedFunction,
  inputs: readonly HostTensor[],
  options: { wrt?: readonly number[]; seed?: number; epsilon?: number } = {},
): number {
  const next = numbers(options.seed ?? 7), epsilon = options.epsilon ?? 1e-6;
  const wrt = options.wrt ?? inputs.flatMap((t, i) => t.dtype === "f64" ? [i] : []);
  const directions = wrt.map((i) => randomTensor(inputs[i]!.shape, next));
  const moved = (sign: number) =>
    inputs.map((t, i) => {
      const at = wrt.indexOf(i);
      if (at < 0) return t;
      const data = (t.data as Float64Array).map((x, j) =>
        x + sign * epsilon * Number(directions[at]!.data[j])
      );
      return hostTensor("f64", t.shape, data as Float64Array<ArrayBuffer>);
    });
  const plus = evaluate(fn, moved(1)), minus = evaluate(fn, moved(-1));
  const u = plus.map((t) => randomTensor(t.shape, next));
  const numeric = u.reduce((sum, ui, i) => sum + (dot(ui, plus[i]!) - dot(ui, minus[i]!)) / (2 * epsilon), 0);
  const { cotangents } = evaluateVjp(fn, inputs, { wrt, cotangents: u });
  const analytic = cotangents.reduce((sum, c, i) => sum + (c ? dot(c, directions[i]!) : 0), 0);
  return Math.abs(numeric - analytic) / Math.max(1e-3, Math.abs(numeric), Math.abs(analytic));
}
