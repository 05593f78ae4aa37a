/**
 * The quickstart's metric: does the response mention its topic, and does it end?
 * In: `words` of the prompt (hero and thing) and the response. Out: `score` and `both_words`.
 * @module
 */
import { type CheckerOptions, escapePattern, expectedTexts, type ResponseCheck } from "./checker.ts";

/** Python's `\w` for texts: str.isalnum() or the underscore. Marks are not word characters there. */
const WORD = "[\\p{L}\\p{N}_]";
/** Python's `\b`: a position between a word character and another. JavaScript's own supports ASCII only. */
const BOUNDARY = `(?:(?<!${WORD})(?=${WORD})|(?<=${WORD})(?!${WORD}))`;

/** The field that `words` reads by default. */
export const WORDS_FIELD = "words";

/** Returns whether `word` occurs in `text` as a whole word: Python's `re.search(rf"\b{re.escape(word)}\b", text)`. */
export function hasWord(
  text: string,
  word: string,
  options: Pick<CheckerOptions, "ignoreCase"> = {},
): boolean {
  const pattern = `${BOUNDARY}${escapePattern(word)}${BOUNDARY}`;
  return new RegExp(pattern, options.ignoreCase ? "iu" : "u").test(text);
}

/**
 * `score`: the share of the words in `meta.words` (or the field of `options.field`) that occur as whole words, case-sensitive
 * by default; 0 for a truncated response. `both_words`: 1 if all occur and the response ended.
 * Source: the quickstart's README (fixtures/quickstart), "Metric".
 */
export function wordsChecker(options: CheckerOptions = {}): ResponseCheck {
  const field = options.field ?? WORDS_FIELD;
  return ({ meta, response, ended }) => {
    const words = expectedTexts(meta, field);
    const hits = words.filter((word) => hasWord(response, word, options)).length;
    return {
      score: ended ? hits / words.length : 0,
      both_words: ended && hits === words.length ? 1 : 0,
    };
  };
}
