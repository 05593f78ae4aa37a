/** Last values of `metrics@1` files, which decide about loops and which displays show. @module */
import { readMetrics } from "@/lib/contracts/metrics.ts";

/** The last value of every name in the metrics file at `path`. */
export function lastMetrics(path: string): Record<string, number> {
  const last: Record<string, number> = {};
  for (const { name, value } of readMetrics(path)) last[name] = value;
  return last;
}
