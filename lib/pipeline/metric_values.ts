/** Last values of `metrics@1` files, which decide when a loop ends and what a display shows. @module */
import { readMetrics } from "@/lib/contracts/metrics.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** The last value of every name in the metrics file at `path`. */
export function lastMetrics(path: string): Record<string, number> {
  const last: Record<string, number> = {};
  for (const { name, value } of readMetrics(path)) last[name] = value;
  return last;
}

/** @throws {DataError} if the file at `path` has no metric `name`; `owner` is the stage in the message */
export function lastMetric(path: string, name: string, owner: string): number {
  const last = lastMetrics(path);
  if (last[name] !== undefined) return last[name];
  throw new DataError(
    `Cannot decide the end of a loop as ${owner} must write metric "${name}": it wrote ${
      Object.keys(last).sort().join(", ")
    }`,
    { file: path },
  );
}
