/** Finds whole words in a text, to be marked on the page and on the terminal. @module */

/** A piece of a text. */
export interface TextPiece {
  readonly text: string;
  /** one of the given words */
  readonly isWord: boolean;
}

/**
 * Returns `text` in pieces; whole words of `words` (case-sensitive) are pieces of their own. A word is whole when no
 * letter, digit or underscore of any script is next to it.
 */
export function splitByWords(text: string, words: readonly string[]): TextPiece[] {
  const sought = words.filter((w) => w !== "").sort((a, b) => b.length - a.length).map((w) =>
    RegExp.escape(w)
  );
  if (sought.length === 0) return text === "" ? [] : [{ text, isWord: false }];
  const inside = "[\\p{L}\\p{N}_]";
  const pattern = new RegExp(`(?<!${inside})(?:${sought.join("|")})(?!${inside})`, "gu");
  const pieces: TextPiece[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) pieces.push({ text: text.slice(end, match.index), isWord: false });
    pieces.push({ text: match[0], isWord: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end), isWord: false });
  return pieces;
}
