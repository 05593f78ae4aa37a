/**
 * Extracts a result from a response: the filters `regex` and `take_first` of lm-evaluation-harness 0.4.13
 * (lm_eval/filters/extraction.py).
 * @module
 */
import { strip } from "../python/text.ts";

/** What a filter returns where nothing matches. */
export const INVALID = "[invalid]";

/** A pattern and which of its matches is taken. */
export interface RegexFilter {
  /** JavaScript's equal of the harness's pattern, with the flags g and u */
  readonly pattern: RegExp;
  readonly take: "first" | "last";
}

/**
 * Returns the first group of the chosen match that is not empty, or all of a match without groups, without white space around
 * it; `[invalid]` without a match, or if all groups of several are empty.
 */
export function regexExtract({ pattern, take }: RegexFilter, response: string): string {
  return findMatch(pattern, take, response) ?? INVALID;
}

/** Does the same, and returns undefined without a match. */
export function findMatch(pattern: RegExp, take: RegexFilter["take"], text: string): string | undefined {
  let chosen: RegExpMatchArray | undefined;
  for (const match of text.matchAll(pattern)) {
    chosen = match;
    if (take === "first") break;
  }
  if (!chosen) return undefined;
  const [whole, ...groups] = chosen;
  if (groups.length === 0) return strip(whole);
  if (groups.length === 1) return strip(groups[0] ?? "");
  const group = groups.find((text) => text);
  return group === undefined ? undefined : strip(group);
}
