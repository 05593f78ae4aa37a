/** The answers that a person reads: the first ones of a round, and those that a warning is about. @module */
import type { SampleRow } from "@/lib/contracts/samples.ts";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import type { Tokenizer } from "@/lib/text/tokenizer.ts";
import type { Warning } from "./warnings.ts";

/** The first `count` rows as text, and after them those that warnings name, with the kinds of warning among their scores. */
export function sampleRows(
  rows: readonly ScoredRow[],
  tokenizer: Tokenizer,
  { count, warnings }: { readonly count: number; readonly warnings: readonly Warning[] },
): SampleRow[] {
  const first = rows.slice(0, count).map((_, i) => i);
  const shown = [...new Set([...first, ...warnings.flatMap((warning) => warning.rows)])];
  return shown.map((i) => {
    const row = rows[i]!, kinds = warnings.filter((w) => w.rows.includes(i)).map(({ kind }) => kind);
    return {
      model: "policy",
      mode: "sampled",
      promptId: row.promptId,
      prompt: tokenizer.decode(row.promptIds, { skipSpecial: true }),
      response: tokenizer.decode(row.responseIds, { skipSpecial: true }),
      finishReason: row.finishReason,
      scores: JSON.stringify({
        reward: row.reward,
        raw_reward: row.rawReward,
        ...(kinds.length > 0 ? { warnings: kinds } : {}),
      }),
    };
  });
}
