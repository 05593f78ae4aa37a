/** Ticks of an axis at rounded numbers. @module */
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";

/** An axis: its ends and its labelled values. */
export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  /** decimals at which the ticks differ */
  readonly digits: number;
}

/**
 * Returns about `count` ticks at multiples of 1, 2 or 5 times a power of ten, with ends that include all `values`.
 * Without finite values, or with equal ones, the axis still has some width.
 */
export function axisOf(values: readonly number[], count = 4): Axis {
  const finite = values.filter(Number.isFinite);
  const min = finite.length === 0 ? 0 : smallest(finite);
  const max = finite.length === 0 ? 1 : largest(finite);
  const span = max > min ? max - min : Math.max(Math.abs(max), 1) / 2;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough * 0.999)! * power;
  const first = Math.floor(min / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(max / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { low: first * step, high: last * step, ticks, digits };
}
