/**
 * Truncates responses after a pattern. A base model that does not end by itself still writes responses that are usable as
 * demonstrations if they end, for example, after two sentences.
 * @module
 */
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { Pattern } from "@/lib/model/evals/pattern.ts";

/**
 * Returns the rows whose text begins with a match of `pattern`, truncated to the tokens of the match; their finish reason is
 * `stop`. Ids are kept as sampled: a row whose match is empty or ends inside a token is left out.
 * @param decode returns the text of a response without special tokens
 */
export function truncateResponses(
  rows: readonly RolloutRow[],
  { pattern, decode }: { readonly pattern: Pattern; readonly decode: (ids: Int32Array) => string },
): RolloutRow[] {
  return rows.flatMap((row) => {
    const text = pattern.atStart(decode(row.responseIds)) ?? "";
    const length = text === "" ? undefined : lengthOf(text, row.responseIds, decode);
    if (length === undefined) return [];
    return [{
      ...row,
      responseIds: row.responseIds.subarray(0, length),
      logprobs: row.logprobs.subarray(0, length),
      logprobsT1: row.logprobsT1?.subarray(0, length) ?? null,
      finishReason: "stop" as const,
    }];
  });
}

/** Returns how many of `ids` decode to exactly `text`; undefined if it ends inside a token. */
function lengthOf(text: string, ids: Int32Array, decode: (ids: Int32Array) => string): number | undefined {
  let low = 1;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (decode(ids.subarray(0, middle)).length < text.length) low = middle + 1;
    else high = middle;
  }
  return decode(ids.subarray(0, low)) === text ? low : undefined;
}
