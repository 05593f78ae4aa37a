/** Curves and bars in one line of text. @module */
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";

const BLOCKS = "▁▂▃▄▅▆▇█";

/**
 * Returns `values` as a curve of block characters. Values are the first `values.length` of `total` steps; later steps are
 * dots. More steps than characters are averaged, fewer are repeated.
 *
 * @param values in order; a value that is not finite leaves a gap
 * @param options.width maximum number of characters, at least 1
 * @param options.total steps of the whole width; default: the number of values
 */
export function sparkline(
  values: readonly number[],
  options: { readonly width: number; readonly total?: number },
): string {
  const total = Math.max(options.total ?? values.length, values.length, 1);
  const columns = Math.min(
    options.width,
    total * Math.max(1, Math.min(3, Math.floor(options.width / total))),
  );
  const means: (number | undefined)[] = [];
  for (let c = 0; c < columns; c++) {
    const from = Math.floor((c * total) / columns);
    const to = Math.max(from + 1, Math.floor(((c + 1) * total) / columns));
    if (from >= values.length) break;
    const finite = values.slice(from, to).filter(Number.isFinite);
    means.push(finite.length === 0 ? undefined : finite.reduce((a, b) => a + b, 0) / finite.length);
  }
  const known = means.filter((m) => m !== undefined);
  const low = smallest(known);
  const span = largest(known) - low;
  const bar = (m: number | undefined) => {
    if (m === undefined) return " ";
    // A flat curve is drawn at the bottom.
    return BLOCKS[span > 0 ? Math.round(((m - low) / span) * (BLOCKS.length - 1)) : 0]!;
  };
  return means.map(bar).join("") + "·".repeat(columns - means.length);
}

/** Returns a bar of `width` characters of which the share `fraction` (0 to 1) is full. */
export function progressBar(fraction: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return "━".repeat(full) + "─".repeat(width - full);
}
