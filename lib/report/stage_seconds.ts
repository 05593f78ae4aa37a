/** Where the time of a run went: seconds by kind of stage. @module */
import type { Report } from "./report_schema.ts";

/** Time of all copies and rounds of one kind of stage. */
export interface StageSeconds {
  readonly uses: string;
  readonly seconds: number;
  readonly copies: number;
  /** copies that came from the store */
  readonly cached: number;
}

/** Sums per stage id, the longest first; what came from the store counts with the seconds that it once took. */
export function secondsByStage(timings: Report["timings"]): StageSeconds[] {
  const sums = new Map<string, { seconds: number; copies: number; cached: number }>();
  for (const { uses, seconds, cached } of timings) {
    const sum = sums.get(uses) ?? { seconds: 0, copies: 0, cached: 0 };
    sums.set(uses, sum);
    sum.seconds += seconds;
    sum.copies++;
    if (cached) sum.cached++;
  }
  return [...sums].map(([uses, sum]) => ({ uses, ...sum })).sort((a, b) => b.seconds - a.seconds);
}
