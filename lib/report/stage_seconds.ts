/** Where the time of a run went: seconds and tokens by kind of stage. @module */
import type { Report } from "./report_schema.ts";

/** Time of all copies and rounds of one kind of stage. */
export interface StageSeconds {
  readonly uses: string;
  readonly seconds: number;
  readonly copies: number;
  /** copies that came from the store */
  readonly cached: number;
  /** tokens worked on, over the copies that told; undefined where none did */
  readonly tokens?: number;
  /** over the seconds of those copies */
  readonly tokensPerSecond?: number;
}

/** Sums per stage id, the longest first; what came from the store counts with the seconds that it once took. */
export function secondsByStage(timings: Report["timings"]): StageSeconds[] {
  const sums = new Map<string, { seconds: number; copies: number; cached: number }>();
  const told = new Map<string, { tokens: number; seconds: number }>();
  for (const { uses, seconds, tokens, cached } of timings) {
    const sum = sums.get(uses) ?? { seconds: 0, copies: 0, cached: 0 };
    sums.set(uses, sum);
    sum.seconds += seconds;
    sum.copies++;
    if (cached) sum.cached++;
    if (tokens === null) continue;
    const counted = told.get(uses) ?? { tokens: 0, seconds: 0 };
    told.set(uses, { tokens: counted.tokens + tokens, seconds: counted.seconds + seconds });
  }
  const throughput = (uses: string) => {
    const counted = told.get(uses);
    if (counted === undefined) return {};
    const { tokens, seconds } = counted;
    return seconds > 0 ? { tokens, tokensPerSecond: tokens / seconds } : { tokens };
  };
  return [...sums].map(([uses, sum]) => ({ uses, ...sum, ...throughput(uses) }))
    .sort((a, b) => b.seconds - a.seconds);
}
