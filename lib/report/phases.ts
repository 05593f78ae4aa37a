/** Time and tokens of a run by kind of stage. @module */
import type { Report } from "./report_schema.ts";

/** Returns sums per stage id, the longest first; cached stages count with the seconds of when they ran. */
export function phasesOf(timings: Report["timings"]): Report["phases"] {
  const ids = [...new Set(timings.map(({ uses }) => uses))];
  const sum = (rows: Report["timings"], value: (row: Report["timings"][number]) => number) =>
    rows.reduce((total, row) => total + value(row), 0);
  return ids.map((uses) => {
    const own = timings.filter((row) => row.uses === uses);
    const counted = own.filter(({ tokens }) => tokens !== null);
    const tokens = counted.length === 0 ? null : sum(counted, (row) => row.tokens!);
    const seconds = sum(counted, (row) => row.seconds);
    return {
      uses,
      stages: own.length,
      cached: own.filter(({ cached }) => cached).length,
      seconds: sum(own, (row) => row.seconds),
      tokens,
      tokens_per_second: tokens === null || seconds === 0 ? null : tokens / seconds,
    };
  }).sort((a, b) => b.seconds - a.seconds);
}
