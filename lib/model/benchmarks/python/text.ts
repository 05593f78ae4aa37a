/**
 * Methods of Python's `str` that the benchmarks' checks use. They differ from JavaScript's in what white space, an upper-case
 * letter and a character is: here, as there, a character is a code point.
 * @module
 */

/** Python's `\s`, as the inside of a character class: str.isspace(). It has U+001C to U+001F and U+0085, but not U+FEFF. */
export const PYTHON_SPACE =
  "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

/** Python's `\w`, as the inside of a character class: str.isalnum() or the underscore. */
const PYTHON_WORD = "\\p{L}\\p{N}_";

/** Python's `\b`, for a pattern with the flag u. */
export const PYTHON_BOUNDARY = boundary(PYTHON_WORD);

/** `\s` and `\w` of the package `regex`, which NLTK uses since 3.10 instead of `re`: marks are word characters. */
export const NLTK_SPACE = "\\p{White_Space}";
/** See `NLTK_SPACE`. */
export const NLTK_WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
/** `\b` of the package `regex`. */
export const NLTK_BOUNDARY = boundary(NLTK_WORD);

/** Python's `$` without MULTILINE, and with it. */
export const PYTHON_END = "(?=\\n?(?![^]))";
/** See `PYTHON_END`. */
export const PYTHON_LINE_END = "(?=\\n|(?![^]))";

const LEADING = new RegExp(`^[${PYTHON_SPACE}]+`, "u");
const TRAILING_SPACE = new Set<string>(
  Array.from({ length: 0x3001 }, (_, code) => String.fromCharCode(code)).filter((char) =>
    new RegExp(`[${PYTHON_SPACE}]`, "u").test(char)
  ),
);
const SPACES = new RegExp(`[${PYTHON_SPACE}]+`, "u");

/** Returns `text.lstrip()`. */
function stripStart(text: string): string {
  return text.replace(LEADING, "");
}

/** Returns `text.rstrip()`, in linear time. */
export function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && TRAILING_SPACE.has(text[end - 1]!)) end--;
  return text.slice(0, end);
}

/** Returns `text.strip()`. */
export function strip(text: string): string {
  return stripEnd(stripStart(text));
}

/** Returns `text.strip(chars)`, for characters of the basic plane. */
export function stripCharacters(text: string, chars: string): string {
  let start = 0, end = text.length;
  while (start < end && chars.includes(text[start]!)) start++;
  while (end > start && chars.includes(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** Returns `text.split()`. */
export function splitAtSpaces(text: string): string[] {
  const stripped = strip(text);
  return stripped === "" ? [] : stripped.split(SPACES);
}

/** Returns `text.isupper()`: it has an upper-case letter, and no lower-case or title-case one. */
export function isUpper(text: string): boolean {
  return /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text);
}

/** Returns `text.islower()`: it has a lower-case letter, and no upper-case or title-case one. */
export function isLower(text: string): boolean {
  return /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text);
}

/** Returns how often `pattern` (with the flag g) matches. */
export function countMatches(text: string, pattern: RegExp): number {
  let count = 0;
  for (const _ of text.matchAll(pattern)) count++;
  return count;
}

function boundary(word: string): string {
  return `(?:(?<![${word}])(?=[${word}])|(?<=[${word}])(?![${word}]))`;
}
