/**
 * Extracts the letter of a choice from a response: the filter `multi_choice_regex` of lm-evaluation-harness 0.4.13, with
 * `ignore_case` and `ignore_punctuation`.
 * @module
 */
import { PYTHON_SPACE, strip } from "../python/text.ts";
import { findMatch, INVALID, type RegexFilter } from "./regex_filter.ts";

/**
 * Returns, in this order of preference: what the pattern finds, e.g. `(B)`; the letter of the last choice whose text occurs; the
 * last letter after a colon; `[invalid]`.
 * @param choices their texts; the first has the letter A
 */
export function choiceExtract(
  { pattern, take }: RegexFilter,
  response: string,
  choices: readonly string[],
): string {
  const found = findMatch(pattern, take, response);
  if (found) return found;
  const texts = choices.map((choice) => normalized(strip(choice)));
  const letters = new Map(texts.map((text, i) => [text, `(${letterOf(i)})`]));
  // Longest first: a choice must not hide another that begins with it. Lengths are Python's, of the escaped text.
  const branches = texts.map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"))
    .sort((a, b) => escapedLength(b) - escapedLength(a));
  const byText = findMatch(new RegExp(branches.join("|"), "gu"), take, normalized(response));
  if (byText) return letters.get(byText) ?? byText;
  const names = choices.map((_, i) => letterOf(i)).join("|");
  const byLetter = findMatch(new RegExp(`:[${PYTHON_SPACE}]*(${names})`, "gu"), take, response);
  return byLetter ? `(${byLetter})` : INVALID;
}

function letterOf(position: number): string {
  return String.fromCharCode(65 + position);
}

/** Returns the text in lower case and without punctuation. */
function normalized(text: string): string {
  return text.toLowerCase().replace(/\p{P}/gu, "");
}

/** Returns the length of Python's `re.escape(text)`: these characters get a backslash. */
function escapedLength(text: string): number {
  return [...text.replace(/[()[\]{}?*+\-|^$\\.&~# \t\n\r\v\f]/g, "\\$&")].length;
}
