/**
 * Ends a model's answers where a pattern ends: a base model that never stops by itself still writes, among much else,
 * answers that would be demonstrations if they ended after two sentences. In: answers. Out: those that begin as the
 * pattern says, cut behind it.
 * @module
 */
import type { RolloutRow } from "@/lib/contracts/rollouts.ts";

/**
 * Rows whose text begins with a match of `pattern`, cut to the tokens of that match; their reason to end is `stop`. Ids
 * are kept as they were drawn: a row whose match ends inside a token is left out, as is one whose match is empty.
 * @param pattern flags `u` and `y`, so that it matches at the start alone
 * @param decode text of a response, without special tokens
 */
export function cutResponses(
  rows: readonly RolloutRow[],
  { pattern, decode }: { readonly pattern: RegExp; readonly decode: (ids: Int32Array) => string },
): RolloutRow[] {
  return rows.flatMap((row) => {
    pattern.lastIndex = 0;
    const [text = ""] = pattern.exec(decode(row.responseIds)) ?? [];
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

/** How many of `ids` say exactly `text`; undefined if a token ends further on. */
function lengthOf(
  text: string,
  ids: Int32Array,
  decode: (ids: Int32Array) => string,
): number | undefined {
  let low = 1;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (decode(ids.subarray(0, middle)).length < text.length) low = middle + 1;
    else high = middle;
  }
  return decode(ids.subarray(0, low)) === text ? low : undefined;
}
