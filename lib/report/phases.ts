/** Time and tokens of a run by kind of stage. @module */
import type { Report } from "./report_schema.ts";

/** Returns sums per stage id, the longest first; cached stages count with the seconds of when they ran. */
export function phasesOf(timings: Report["timings"]): Report["phases"] {
  return [...Map.groupBy(timings, ({ uses }) => uses)].map(([uses, own]) => {
    const reporting = own.filter(({ tokens }) => tokens !== null);
    const tokens = reporting.length === 0 ? null : reporting.reduce((sum, row) => sum + row.tokens!, 0);
    const secondsOf = (rows: Report["timings"]) => rows.reduce((sum, { seconds }) => sum + seconds, 0);
    return {
      uses,
      stages: own.length,
      cached: own.filter(({ cached }) => cached).length,
      seconds: secondsOf(own),
      tokens,
      tokens_per_second: tokens === null || secondsOf(reporting) === 0 ? null : tokens / secondsOf(reporting),
    };
  }).sort((a, b) => b.seconds - a.seconds);
}
